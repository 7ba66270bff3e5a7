//! Names of shares and pipes.

use goshawk_model::smb::Share;

/// The share that a UNC path names, `\\host\share`; a bare name is a share of a server that is not
/// named.
pub(crate) fn share_of(path: &str) -> Share {
    let is_slash = |c| matches!(c, '\\' | '/');
    let (server, name) = match path.strip_prefix(is_slash) {
        Some(rest) => {
            let rest = rest.trim_start_matches(is_slash);
            match rest.split_once(is_slash) {
                Some((server, name)) => (Some(server), name),
                None => (None, rest),
            }
        }
        None => (None, path),
    };
    Share {
        server: server.map(|server| server.to_lowercase().into()),
        name: Some(name.into()),
        share_type: None,
    }
}

/// A pipe's name in lower case, without the `\` or `\PIPE\` that some put in front.
pub(crate) fn pipe_name(path: &str) -> Box<str> {
    let name = path.trim_start_matches('\\').to_lowercase();
    name.strip_prefix("pipe\\").unwrap_or(&name).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_named_by_unc_paths_and_alone() {
        let parts = |path: &str| {
            let share = share_of(path);
            let part = |part: Option<Box<str>>| part.unwrap_or_default().into_string();
            (part(share.server), part(share.name))
        };
        let expected = |server: &str, name: &str| (server.to_owned(), name.to_owned());
        assert_eq!(parts("\\\\DC1\\IPC$"), expected("dc1", "IPC$"));
        assert_eq!(parts("\\DC1\\SysVol"), expected("dc1", "SysVol"));
        assert_eq!(parts("//dc1/a/b"), expected("dc1", "a/b"));
        assert_eq!(parts("IPC$"), expected("", "IPC$"));
        assert_eq!(parts("\\\\alone"), expected("", "alone"));
        assert_eq!(parts(""), expected("", ""));
    }

    #[test]
    fn pipes_have_one_name() {
        for name in ["srvsvc", "\\SRVSVC", "\\PIPE\\srvsvc", "pipe\\SrvSvc"] {
            assert_eq!(&*pipe_name(name), "srvsvc");
        }
    }
}
