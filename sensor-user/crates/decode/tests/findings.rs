//! What the fuzz targets found once must not come back.

#[path = "../../../../tests/fuzz/src/story.rs"]
#[expect(
    unreachable_pub,
    reason = "in the crate of the fuzz targets it is reachable"
)]
mod story;

use std::fs;
use std::path::Path;

use story::{FROM_SERVER, MUCH_LATER, Speech, run};

/// The folders of findings, one for each target.
const TARGETS: &[(&str, Speech)] = &[
    ("packets", Speech::Frames),
    ("kerberos", Speech::Tcp(88)),
    ("kerberos_udp", Speech::Udp(88)),
    ("kpasswd", Speech::Udp(464)),
    ("ldap", Speech::Tcp(389)),
    ("cldap", Speech::Udp(389)),
    ("smb", Speech::Tcp(445)),
    ("dcerpc", Speech::Tcp(135)),
    ("dcerpc_http", Speech::Tcp(593)),
    ("http", Speech::Tcp(80)),
    ("dns", Speech::Udp(53)),
    ("dns_tcp", Speech::Tcp(53)),
    ("netbios_names", Speech::Udp(137)),
    ("netbios_datagrams", Speech::Udp(138)),
    ("sntp", Speech::Udp(123)),
];

#[test]
fn findings_of_the_fuzz_targets_stay_mended() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../tests/fuzz");
    for entry in fs::read_dir(folder.join("findings")).unwrap().flatten() {
        let name = entry.file_name().into_string().unwrap();
        let Some((_, speech)) = TARGETS.iter().find(|(target, _)| *target == name) else {
            assert!(entry.path().is_file(), "findings of no target: {name}");
            continue;
        };
        for finding in fs::read_dir(entry.path()).unwrap().flatten() {
            run(*speech, &fs::read(finding.path()).unwrap());
        }
    }
    for (target, _) in TARGETS {
        let source = folder.join(format!("fuzz_targets/{target}.rs"));
        assert!(source.is_file(), "no target {target}");
    }
}

#[test]
fn any_story_can_be_told() {
    let scene = |flags: u8, payload: &[u8]| {
        let length = (payload.len() as u16).to_le_bytes();
        [&[flags][..], &length, payload].concat()
    };
    for (_, speech) in TARGETS {
        run(*speech, &[]);
        run(*speech, &[FROM_SERVER, 255]);
        run(
            *speech,
            &[scene(0, b"ask"), scene(FROM_SERVER | MUCH_LATER, b"answer")].concat(),
        );
    }
}
