//! Secure channels ([MS-NRPC] 3.5.4).

use goshawk_model::rpc::{NetlogonArguments, RpcArguments, SecureChannel};

use super::super::ndr::Ndr;
use super::{Exchange, Reader};

/// Reads the operations that set up secure channels, pass on logons, and find controllers.
pub(super) fn reader(opnum: u16) -> Option<Reader> {
    Some(match opnum {
        2 | 45 => sam_logon_authenticated,
        39 => sam_logon,
        4 => challenge,
        5 => |call| authenticate(call, Version::One),
        15 => |call| authenticate(call, Version::Two),
        26 => |call| authenticate(call, Version::Three),
        6 | 30 => set_password,
        31 | 42 | 46 => get_password,
        11 | 13 => get_dc_name,
        20 | 27 => |call| get_controller(call, false),
        34 => |call| get_controller(call, true),
        21 | 29 => computer,
        _ => return None,
    })
}

fn tell(arguments: NetlogonArguments) -> Option<RpcArguments> {
    Some(RpcArguments::Netlogon(arguments))
}

/// `NETLOGON_CREDENTIAL`, 2.2.1.3.4: eight bytes that are not aligned.
type Credential = [u8; 8];

fn challenge(call: &mut Exchange<'_>) -> Option<RpcArguments> {
    let _server = call.request.maybe_text()?;
    let computer = call.request.text()?;
    let [first, others @ ..]: Credential = call.request.array()?;
    // What servers look at since the vulnerability is known (3.1.4.1, step 7).
    let uniform_challenge = others.iter().take(4).all(|&byte| byte == first);
    tell(NetlogonArguments::Challenge {
        computer,
        uniform_challenge,
    })
}

/// `NetrServerAuthenticate`, whose later versions have flags, and at last a RID.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Version {
    One,
    Two,
    Three,
}

fn authenticate(call: &mut Exchange<'_>, version: Version) -> Option<RpcArguments> {
    let channel = channel(&mut call.request)?;
    let credential: Credential = call.request.array()?;
    let flags = match version {
        Version::One => None,
        Version::Two | Version::Three => Some(call.request.u32()?),
    };
    let rid = match version {
        Version::One | Version::Two => None,
        Version::Three => call.answered(|response| {
            let _credential: Credential = response.array()?;
            let _flags = response.u32()?;
            response.u32()
        }),
    };
    tell(NetlogonArguments::Authenticate {
        channel,
        zero_credential: credential == [0; 8],
        flags,
        rid,
    })
}

/// The server's name, and then the three parameters that many operations begin with.
fn channel(request: &mut Ndr<'_>) -> Option<SecureChannel> {
    let _server = request.maybe_text()?;
    Some(SecureChannel {
        account: request.text()?,
        channel_type: request.enumeration()?,
        computer: request.text()?,
    })
}

fn set_password(call: &mut Exchange<'_>) -> Option<RpcArguments> {
    let channel = channel(&mut call.request)?;
    // `NETLOGON_AUTHENTICATOR`, 2.2.1.1.5, is aligned for its timestamp.
    call.request.align(4)?;
    let credential: Credential = call.request.array()?;
    tell(NetlogonArguments::PasswordSet {
        channel,
        zero_credential: credential == [0; 8],
    })
}

fn get_password(call: &mut Exchange<'_>) -> Option<RpcArguments> {
    let channel = channel(&mut call.request)?;
    tell(NetlogonArguments::PasswordGet { channel })
}

fn get_dc_name(call: &mut Exchange<'_>) -> Option<RpcArguments> {
    let _server = call.request.maybe_text()?;
    let domain = call.request.maybe_text()?;
    let controller = call.answered(|response| response.maybe_text()?);
    tell(NetlogonArguments::GetDcName {
        domain,
        account: None,
        controller,
    })
}

fn get_controller(call: &mut Exchange<'_>, names_account: bool) -> Option<RpcArguments> {
    let _server = call.request.maybe_text()?;
    let mut account = None;
    if names_account {
        account = call.request.maybe_text()?;
        let _account_control = call.request.u32()?;
    }
    let domain = call.request.maybe_text()?;
    let controller = call.answered(controller_name);
    tell(NetlogonArguments::GetDcName {
        domain,
        account,
        controller,
    })
}

/// The first name in a `DOMAIN_CONTROLLER_INFOW`, 2.2.1.2.1.
fn controller_name(response: &mut Ndr<'_>) -> Option<Box<str>> {
    if !response.reference()? {
        return None;
    }
    let (is_named, _address) = (response.reference()?, response.reference()?);
    let (_address_type, _domain_guid) = (response.u32()?, response.uuid()?);
    let (_domain, _forest) = (response.reference()?, response.reference()?);
    let _flags = response.u32()?;
    let (_site, _client_site) = (response.reference()?, response.reference()?);
    is_named.then(|| response.text())?
}

/// With two authenticators before the logon.
fn sam_logon_authenticated(call: &mut Exchange<'_>) -> Option<RpcArguments> {
    let _server = call.request.maybe_text()?;
    let _computer = call.request.maybe_text()?;
    for _ in 0..2 {
        if call.request.reference()? {
            call.request.align(4)?;
            let _authenticator: [u8; 12] = call.request.array()?;
        }
    }
    logon(call)
}

fn sam_logon(call: &mut Exchange<'_>) -> Option<RpcArguments> {
    let _server = call.request.maybe_text()?;
    let _computer = call.request.maybe_text()?;
    logon(call)
}

/// The level, and a `NETLOGON_LEVEL` (2.2.1.4.6): all of its arms begin with a
/// `NETLOGON_LOGON_IDENTITY_INFO` (2.2.1.4.15).
fn logon(call: &mut Exchange<'_>) -> Option<RpcArguments> {
    let request = &mut call.request;
    let level = request.enumeration()?;
    request.align_structure()?;
    let _switch = request.enumeration()?;
    let names = if request.reference()? {
        identity(request, level)
    } else {
        None
    };
    let [domain, user, workstation] = names.unwrap_or_default();
    tell(NetlogonArguments::SamLogon {
        level,
        domain,
        user,
        workstation,
    })
}

/// Domain, user and workstation; they lie behind the rest of the arm, which holds what is secret.
fn identity(request: &mut Ndr<'_>, level: u32) -> Option<[Option<Box<str>>; 3]> {
    let has_domain = request.string_head()?;
    let (_parameter_control, _logon_id) = (request.u32()?, (request.u32()?, request.u32()?));
    let has_user = request.string_head()?;
    let has_workstation = request.string_head()?;
    match level {
        // `NETLOGON_INTERACTIVE_INFO`, `NETLOGON_SERVICE_INFO`, 2.2.1.4.3, 2.2.1.4.4.
        1 | 3 | 5 | 7 => {
            let _passwords = request.take(32)?;
        }
        // `NETLOGON_NETWORK_INFO`, 2.2.1.4.5.
        2 | 6 => {
            let _challenge = request.take(8)?;
            let (_nt, _lm) = (request.string_head()?, request.string_head()?);
        }
        _ => return None,
    }
    let mut name = |is_present: bool| match is_present {
        true => request.text().map(Some),
        false => Some(None),
    };
    Some([name(has_domain)?, name(has_user)?, name(has_workstation)?])
}

fn computer(call: &mut Exchange<'_>) -> Option<RpcArguments> {
    let _server = call.request.maybe_text()?;
    let computer = call.request.maybe_text()?;
    tell(NetlogonArguments::Computer { computer })
}

#[cfg(test)]
mod tests {
    use goshawk_model::rpc::NETLOGON;
    use uuid::Uuid;

    use super::super::writer::{BOTH, Dialogue, Writer};
    use super::*;

    fn netlogon(opnum: u16, request: &Writer, response: Option<&Writer>) -> NetlogonArguments {
        match Dialogue::default().call(NETLOGON, opnum, request, response) {
            Some(RpcArguments::Netlogon(arguments)) => arguments,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn zerologon_shows() {
        for syntax in BOTH {
            let write = || Writer::new(syntax);
            for (challenge, uniform) in [([0; 8], true), ([1, 1, 1, 1, 2, 1, 1, 1], false)] {
                let mut request = write();
                request
                    .maybe_text(Some("\\\\DC1"))
                    .text("DC1")
                    .bytes(&challenge);
                let NetlogonArguments::Challenge {
                    computer,
                    uniform_challenge,
                } = netlogon(4, &request, None)
                else {
                    panic!("a challenge");
                };
                assert_eq!((&*computer, uniform_challenge), ("DC1", uniform));
            }
            let (mut request, mut response) = (write(), write());
            request
                .maybe_text(Some("\\\\DC1"))
                .text("DC1$")
                .enumeration(6);
            request.text("DC1").bytes(&[0; 8]).u32(0x212f_ffff);
            response.bytes(&[3; 8]).u32(0x212f_ffff).u32(1000).u32(0);
            let channel = SecureChannel {
                account: "DC1$".into(),
                channel_type: 6,
                computer: "DC1".into(),
            };
            let expected = NetlogonArguments::Authenticate {
                channel,
                zero_credential: true,
                flags: Some(0x212f_ffff),
                rid: Some(1000),
            };
            assert_eq!(netlogon(26, &request, Some(&response)), expected);
        }
    }

    #[test]
    fn a_logon_passed_on_names_its_account() {
        for syntax in BOTH {
            let mut request = Writer::new(syntax);
            request.maybe_text(Some("DC1")).maybe_text(Some("WS1"));
            request
                .enumeration(2)
                .align_structure()
                .enumeration(2)
                .reference(true);
            request.string_head("CORP").u32(0).u32(0).u32(0);
            request.string_head("alice").string_head("WS7");
            request.bytes(&[1; 8]).string_head("nt").string_head("lm");
            request.text("CORP").text("alice").text("WS7");
            let expected = NetlogonArguments::SamLogon {
                level: 2,
                domain: Some("CORP".into()),
                user: Some("alice".into()),
                workstation: Some("WS7".into()),
            };
            assert_eq!(netlogon(39, &request, None), expected);
        }
    }

    #[test]
    fn a_controller_is_told() {
        for syntax in BOTH {
            let write = || Writer::new(syntax);
            let (mut request, mut response) = (write(), write());
            request
                .maybe_text(None)
                .maybe_text(Some("alice"))
                .u32(0x200);
            request.maybe_text(Some("corp.example")).reference(false);
            response.reference(true).reference(true).reference(true);
            response
                .u32(1)
                .uuid(Uuid::nil())
                .reference(true)
                .reference(true);
            response
                .u32(0)
                .reference(false)
                .reference(false)
                .text("\\\\DC1");
            let expected = NetlogonArguments::GetDcName {
                domain: Some("corp.example".into()),
                account: Some("alice".into()),
                controller: Some("\\\\DC1".into()),
            };
            assert_eq!(netlogon(34, &request, Some(&response)), expected);
        }
    }
}
