//! Command lines without the passwords in them: what is run is evidence, who could log on with it is
//! nobody's business.

use std::ops::Range;

/// Stands for a secret.
const MASK: &str = "***";

/// Parameters whose values are secrets: passwords, and hashes and keys that are as good as one.
const SECRETS: &[&str] = &[
    "accesskey",
    "accountpassword",
    "aes128",
    "aes256",
    "aeskey",
    "apikey",
    "api-key",
    "client-secret",
    "clientsecret",
    "hash",
    "hashes",
    "krbtgt",
    "lmhash",
    "newpassword",
    "nthash",
    "ntlm",
    "oldpassword",
    "pass",
    "passphrase",
    "passwd",
    "password",
    "passwordd",
    "passwordo",
    "pin",
    "pw",
    "pwd",
    "rc4",
    "rp",
    "secret",
    "ticket",
];
/// Such that mean something else as well: `-p` is a password to psexec, and a port to ssh.
const AMBIGUOUS: &[&str] = &["p", "pd", "po"];
/// Begin a switch; PowerShell takes the dashes of a word processor too.
const SWITCH: [char; 5] = ['/', '-', '\u{2013}', '\u{2014}', '\u{2015}'];
/// Separate commands; what follows is no parameter of the one before.
const SEPARATORS: [char; 4] = ['&', '|', '>', ';'];
/// Makes a password of text ([ConvertTo-SecureString -AsPlainText]).
const SECURE_STRING: &str = "convertto-securestring";

/// The command line with a mask in place of each secret that well-known tools take in it.
pub(super) fn masked(command: &str) -> Box<str> {
    let mut secrets = Vec::new();
    for name in names(command) {
        named(command, name, &mut secrets);
    }
    for word in words(command, 0) {
        secrets.extend(of_target(command, word));
    }
    secrets.sort_by_key(|secret| (secret.start, secret.end));
    let (mut masked, mut done) = (String::with_capacity(command.len()), 0);
    for secret in secrets {
        if secret.start >= done {
            masked.push_str(command.get(done..secret.start).unwrap_or_default());
            masked.push_str(MASK);
        }
        done = done.max(secret.end);
    }
    masked.push_str(command.get(done..).unwrap_or_default());
    masked.into()
}

/// Everything that may be the name of a parameter or of a command: letters, digits, and dashes
/// between them.
fn names(command: &str) -> impl Iterator<Item = Range<usize>> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let mut from = 0;
    std::iter::from_fn(move || {
        let start = from
            + command
                .get(from..)?
                .find(|c: char| c.is_ascii_alphanumeric())?;
        let rest = command.get(start..)?;
        from = start + rest.find(|c| !is_part(c)).unwrap_or(rest.len());
        Some(start..from)
    })
}

/// The words from `at` on, a quoted one whole.
fn words(command: &str, at: usize) -> impl Iterator<Item = Range<usize>> {
    let mut from = at;
    std::iter::from_fn(move || {
        let word = word(command, from)?;
        from = word.end;
        Some(word)
    })
}

/// The first word behind `at`. A quote without an end goes on to the end, for the text may be cut.
fn word(command: &str, at: usize) -> Option<Range<usize>> {
    let rest = command.get(at..)?;
    let start = at + rest.find(|c: char| !c.is_whitespace())?;
    let rest = command.get(start..)?;
    let quote = ["\\\"", "\"", "'"]
        .into_iter()
        .find(|&it| rest.starts_with(it));
    let length = match quote {
        Some(quote) => rest
            .get(quote.len()..)?
            .find(quote)
            .map(|end| end + 2 * quote.len()),
        None => rest.find(char::is_whitespace),
    };
    Some(start..start + length.unwrap_or(rest.len()))
}

/// The secrets that follow a `name`.
fn named(command: &str, name: Range<usize>, secrets: &mut Vec<Range<usize>>) {
    let (before, behind) = (command.get(..name.start), command.get(name.end..));
    let (Some(before), Some(behind), Some(text)) = (before, behind, command.get(name.clone()))
    else {
        return;
    };
    let text = text.to_ascii_lowercase();
    let is_switch = before.ends_with(SWITCH);
    let is_secret = SECRETS.contains(&&*text);
    let is_ambiguous = is_switch && AMBIGUOUS.contains(&&*text);
    if text == "net" || text == "net1" {
        net(command, name.end, secrets);
    } else if text == SECURE_STRING {
        secure_string(command, name, secrets);
    } else if (is_secret || is_ambiguous) && behind.starts_with([':', '=']) {
        let at = name.end + 1;
        // `sc` wants a space behind the sign.
        let is_spaced = behind.starts_with("= ");
        let is_there = behind.len() > 1 && !behind[1..].starts_with(char::is_whitespace);
        if is_there || is_spaced {
            secrets.extend(word(command, at).and_then(|it| value(command, it)));
        }
    } else if is_switch && (is_secret || is_ambiguous) && behind.starts_with(char::is_whitespace) {
        let follows = word(command, name.end).filter(|word| {
            let text = command.get(word.clone()).unwrap_or_default();
            !(is_ambiguous && text.starts_with(SWITCH))
        });
        secrets.extend(follows.and_then(|it| value(command, it)));
    }
}

/// What of a word is a secret; nothing, where there is none: an empty one, one that is asked for
/// (`*`), or a command that makes it.
fn value(command: &str, word: Range<usize>) -> Option<Range<usize>> {
    let text = command.get(word.clone())?;
    let is_none = matches!(text, "*" | "\"\"" | "''" | MASK)
        || text
            .strip_prefix('(')
            .is_some_and(|text| text.to_ascii_lowercase().starts_with(SECURE_STRING));
    if is_none {
        return None;
    }
    // In a connection's description, other parameters follow.
    let end = text
        .find(';')
        .filter(|_| !text.starts_with(['"', '\'', '\\']));
    Some(word.start..end.map_or(word.end, |end| word.start + end))
}

/// `net user NAME PASSWORD` and `net use DEVICE \\HOST\SHARE PASSWORD`, switches anywhere.
fn net(command: &str, at: usize, secrets: &mut Vec<Range<usize>>) {
    let Some(rest) = command.get(at..) else {
        return;
    };
    let is_program = |end: &&str| {
        rest.get(..end.len())
            .is_some_and(|text| text.eq_ignore_ascii_case(end))
    };
    let program = [".exe\"", ".exe", "\"", ""].into_iter().find(is_program);
    let mut words = words(command, at + program.map_or(0, str::len));
    let text = |word: &Range<usize>| command.get(word.clone()).unwrap_or_default();
    let verb = words.next().map(|word| text(&word).to_ascii_lowercase());
    let is_user = match verb.as_deref() {
        Some("user" | "users") => true,
        Some("use") => false,
        _ => return,
    };
    let goes_on = |word: &Range<usize>| !text(word).starts_with(SEPARATORS);
    let is_parameter = |word: &Range<usize>| !text(word).starts_with('/');
    let mut parameters = words.take_while(goes_on).filter(is_parameter);
    let password = if is_user {
        parameters.nth(1)
    } else {
        let is_share = |word: &Range<usize>| {
            let share = text(word).trim_start_matches(['"', '\'']);
            share.starts_with("\\\\")
        };
        parameters.find(is_share).and_then(|_| parameters.next())
    };
    secrets.extend(password.and_then(|it| value(command, it)));
}

/// The text that is made a password: a parameter, or what is piped in.
fn secure_string(command: &str, name: Range<usize>, secrets: &mut Vec<Range<usize>>) {
    let piped = command.get(..name.start).map(str::trim_end);
    if let Some(before) = piped.and_then(|before| before.strip_suffix('|')) {
        let before = before.trim_end();
        let quote = before
            .chars()
            .next_back()
            .filter(|c| ['"', '\''].contains(c));
        let start = match quote {
            Some(quote) => before
                .get(..before.len() - 1)
                .and_then(|before| before.rfind(quote)),
            None => before.rfind(char::is_whitespace).map(|at| at + 1),
        };
        secrets.push(start.unwrap_or(0)..before.len());
        return;
    }
    let text = |word: &Range<usize>| command.get(word.clone()).unwrap_or_default();
    let mut parameters =
        words(command, name.end).take_while(|it| !text(it).starts_with(SEPARATORS));
    secrets.extend(parameters.find(|it| !text(it).starts_with(SWITCH)));
}

/// The password in `user:password@host`, as addresses have it and tools that take a target.
fn of_target(command: &str, word: Range<usize>) -> Option<Range<usize>> {
    let text = command.get(word.clone())?;
    let start = match text.find("://") {
        Some(at) => at + 3,
        None if text.starts_with(SWITCH) => return None,
        None => 0,
    };
    let target = text.get(start..)?;
    let user = target.find(':').filter(|&at| at > 0)?;
    // A drive, not a user.
    let password = target.get(user + 1..)?;
    if password.starts_with(['\\', '/']) {
        return None;
    }
    let length = password.rfind('@').filter(|&at| at > 0)?;
    let from = word.start + start + user + 1;
    Some(from..from + length)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Command lines whose secrets are `S3xyzzy`, or in quotes `S3 xyzzy`.
    const WITH: &[&str] = &[
        "net user mallory S3xyzzy /add",
        "net.exe user mallory S3xyzzy /add /domain",
        "cmd.exe /Q /c net1 user /add mallory S3xyzzy 1> \\\\127.0.0.1\\ADMIN$\\__1 2>&1",
        "cmd /c \"net user mallory S3xyzzy /add && net localgroup Administrators mallory /add\"",
        "cmd /c \"C:\\Windows\\System32\\net.exe\" user \"John Doe\" \"S3 xyzzy\" /add",
        "NET USE Z: \\\\srv\\c$ S3xyzzy /user:CORP\\adm",
        "net use \\\\srv\\c$ /user:CORP\\adm \"S3 xyzzy\"",
        "schtasks /create /tn x /tr calc.exe /ru CORP\\adm /rp S3xyzzy",
        "schtasks /create /s srv /u adm /p \"S3 xyzzy\" /tn x",
        "wmic /node:srv /user:adm /password:S3xyzzy process call create calc.exe",
        "wmic /user:\"adm\" /password:\"S3 xyzzy\" os get name",
        "psexec.exe \\\\srv -u CORP\\adm -p S3xyzzy cmd",
        "psexec \\\\srv -u adm \u{2013}p S3xyzzy cmd",
        "plink.exe -ssh -l adm -pw S3xyzzy 10.0.0.9",
        "cmdkey /add:srv /user:adm /pass:S3xyzzy",
        "winrs -r:srv -u:adm -p:S3xyzzy whoami",
        "sc.exe config svc obj= CORP\\adm password= S3xyzzy",
        "sc config svc password= \"S3 xyzzy\" start= auto",
        "netdom join ws1 /domain:corp /userd:adm /passwordd:S3xyzzy",
        "dsadd user CN=x -samid x -pwd S3xyzzy",
        "tool --password=S3xyzzy --verbose",
        "tool --password S3xyzzy",
        "tool -Password 'S3 xyzzy' -Verbose",
        "mimikatz \"sekurlsa::pth /user:adm /domain:corp /ntlm:S3xyzzy\" exit",
        "Rubeus.exe asktgt /user:adm /aes256:S3xyzzy /ptt",
        "psexec.py -hashes S3xyzzy CORP/adm@srv",
        "smbclient.py CORP/adm:S3xyzzy@10.0.0.1",
        "curl http://adm:S3xyzzy@srv/x",
        "sqlcmd \"Server=srv;User Id=sa;Password=S3xyzzy;Database=x\"",
        "powershell -c \"$p = ConvertTo-SecureString 'S3 xyzzy' -AsPlainText -Force\"",
        "powershell ConvertTo-SecureString -AsPlainText -Force -String S3xyzzy",
        "powershell -c \"'S3 xyzzy' | ConvertTo-SecureString -AsPlainText -Force\"",
        "powershell Set-ADAccountPassword x -NewPassword (ConvertTo-SecureString 'S3xyzzy' -AsPlainText)",
        "powershell -c \"net user mallory \\\"S3 xyzzy\\\" /add\"",
        // Cut in the middle of it.
        "net user mallory \"S3 xyz",
        "tool /password:\"S3 xyz",
    ];

    /// Such without any.
    const WITHOUT: &[&str] = &[
        "cmd.exe /c whoami",
        "%COMSPEC% /Q /c echo cd ^> \\\\127.0.0.1\\C$\\__output 2^>^&1 > %TEMP%\\x.bat",
        "net user",
        "net user mallory",
        "net user mallory * /add",
        "net user mallory /active:no",
        "net user mallory /domain && whoami",
        "net use \\\\srv\\ipc$ \"\" /user:\"\"",
        "net use Z: \\\\srv\\c$",
        "net localgroup Administrators mallory /add",
        "netsh advfirewall set allprofiles state off",
        "powershell -enc JABhAD0AMQA=",
        "C:\\Program Files\\x\\passwords.exe /s",
        "svchost.exe -k netsvcs -p",
        "svchost.exe -k netsvcs -p -s Schedule",
        "C:\\x\\foo@bar.exe /user:bob@corp.example",
        "sc config svc password= ",
    ];

    #[test]
    fn secrets_are_masked_and_the_rest_stays() {
        for command in WITH {
            let found = masked(command);
            assert!(found.contains(MASK), "{found}");
            assert!(!found.contains("S3") && !found.contains("xyz"), "{found}");
            let (first, _) = command.split_once("S3").unwrap();
            assert!(
                found.starts_with(first.trim_end_matches(['"', '\'', '\\'])),
                "{found}"
            );
        }
        for command in WITHOUT {
            assert_eq!(&*masked(command), *command);
        }
    }

    #[test]
    fn what_follows_a_secret_stays() {
        for (command, expected) in [
            ("net user a b /add & whoami", "net user a *** /add & whoami"),
            ("x /p:\"a b\" /q", "x /p:*** /q"),
            ("Password=a;Database=b", "Password=***;Database=b"),
            ("x -pass a -hashes b:c -q", "x -pass *** -hashes *** -q"),
            ("ftp://a:b@c/d", "ftp://a:***@c/d"),
        ] {
            assert_eq!(&*masked(command), expected);
        }
    }

    proptest! {
        #[test]
        fn any_text_is_survived(text in "\\PC{0,80}") {
            masked(&text);
        }

        #[test]
        fn any_words_are_survived_and_masked_once(
            words in proptest::collection::vec(proptest::sample::select(vec![
                "net", "net.exe", "user", "use", "\\\\a\\b", "/p:", "-pw", "=", "\"", "'", "\\\"", "|", ";",
                "password=", "ConvertTo-SecureString", "(", ")", "a:b@c", "://", "é", " ",
            ]), 0..20),
            gap in proptest::sample::select(vec!["", " "]),
        ) {
            masked(&words.join(gap));
        }
    }
}
