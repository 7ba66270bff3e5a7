//! How a sensor comes to its papers: a token, a key of its own, a certificate for it.

use std::path::Path;
use std::time::Duration;

use base64::Engine;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use goshawk_model::frame::{self, Enroll, Enrolled, Frame, Token};
use rustls::CertificateError;
use rustls::pki_types::UnixTime;

use super::dial::Line;
use super::is_enrolled;
use super::papers::{Draft, Request};
use super::tls::{Trust, check_sensor_certificate, fingerprint};
use super::trouble::{Trouble, TroubleKind, one_line};
use super::wire::{FrameReader, send};

/// What a token's text begins with.
const PREFIX: &str = "goshawk1.";
/// A token's text is shorter (bytes).
const MAX_TOKEN: usize = 4096;
/// How long the console has to answer.
const PATIENCE: Duration = Duration::from_secs(15);

/// What an enrollment came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enrollment {
    /// The name that the console gave the sensor.
    pub sensor: String,
    /// Where the console listens.
    pub address: String,
}

/// Why there was no enrollment: one clear line, with what to do.
#[derive(Debug, thiserror::Error)]
pub enum EnrollError {
    /// The text is no token.
    #[error(
        "this is not an enrollment token ({0}): copy the whole line that `goshawk-console token` printed"
    )]
    Token(&'static str),
    /// There are papers already.
    #[error("this sensor is enrolled already; --force enrolls it anew and forgets the old console")]
    AlreadyEnrolled,
    /// The papers cannot be kept.
    #[error("the state directory {0} cannot be written: {1}")]
    StateDir(String, std::io::Error),
    /// The console said no.
    #[error("the console at {address} refused the enrollment: {reason}")]
    Refused {
        /// Where it listens.
        address: String,
        /// What it said.
        reason: String,
    },
    /// Nobody answers, or the wrong one, or a clock is off, or this machine does not play along.
    #[error("{0}")]
    Failed(String),
}

impl EnrollError {
    /// The exit status: 2 where what was asked for is wrong, 1 where it did not work.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Token(_) | Self::AlreadyEnrolled => 2,
            Self::StateDir(..) | Self::Refused { .. } | Self::Failed(_) => 1,
        }
    }
}

/// Enrolls the sensor `name` with the console that made the token, and keeps the papers in
/// `state_dir`. The key is made here and never leaves. Blocks for half a minute at most.
///
/// # Errors
/// [`EnrollError`]; then `state_dir` holds what it held before.
pub fn enroll(
    token: &str,
    state_dir: &Path,
    name: &str,
    force: bool,
) -> Result<Enrollment, EnrollError> {
    let (token, authority) = parse(token).map_err(EnrollError::Token)?;
    if is_enrolled(state_dir) && !force {
        return Err(EnrollError::AlreadyEnrolled);
    }
    let unwritable = |error| EnrollError::StateDir(state_dir.display().to_string(), error);
    let draft = Draft::begin(state_dir).map_err(unwritable)?;
    let request = Request::new(name).map_err(EnrollError::Failed)?;
    let papers = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| EnrollError::Failed(format!("the network cannot be used: {error}")))?
        .block_on(ask(&token, authority, name, &request))?;
    check(&papers, authority, &token.address).map_err(EnrollError::Failed)?;
    draft
        .install(&request, &papers.certificate, &papers.ca, &token.address)
        .map_err(EnrollError::Failed)?;
    Ok(Enrollment {
        sensor: papers.sensor,
        address: token.address,
    })
}

/// The token, and its fingerprint of the CA.
fn parse(text: &str) -> Result<(Token, [u8; 32]), &'static str> {
    // Copied by hand: padding may have been lost or kept.
    const BASE64: GeneralPurpose = GeneralPurpose::new(
        &URL_SAFE,
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
    );
    let text = text.trim();
    if text.len() > MAX_TOKEN {
        return Err("it is too long");
    }
    let body = text
        .strip_prefix(PREFIX)
        .ok_or("it does not begin with goshawk1.")?;
    let cbor = BASE64.decode(body).map_err(|_| "it is cut or mistyped")?;
    let token: Token =
        ciborium::from_reader(cbor.as_slice()).map_err(|_| "it is cut or mistyped")?;
    let authority = <[u8; 32]>::try_from(token.ca_fingerprint.as_slice())
        .map_err(|_| "its fingerprint is not SHA-256")?;
    Ok((token, authority))
}

async fn ask(
    token: &Token,
    authority: [u8; 32],
    name: &str,
    request: &Request,
) -> Result<Enrolled, EnrollError> {
    let address = &token.address;
    let failed = |trouble: Trouble| EnrollError::Failed(trouble.line);
    let trust = Trust::Fingerprint(authority);
    let line = Line::open(address, trust, None, frame::ALPN_ENROLL)
        .await
        .map_err(|trouble| match trouble.kind {
            TroubleKind::Imposter => EnrollError::Failed(format!(
                "what answers at {address} is not the console that made this token: take a new \
                 token from it, or somebody is in between"
            )),
            _ => failed(trouble),
        })?;
    let talk = async {
        let (mut outgoing, incoming) = line.connection.open_bi().await?;
        let enroll = Enroll {
            sensor: name.to_owned(),
            secret: token.secret.clone(),
            csr: request.csr.clone(),
        };
        send(&mut outgoing, &Frame::Enroll(enroll)).await?;
        // The stream ends here or with the connection.
        let _ = outgoing.finish();
        FrameReader::new(incoming).next().await
    };
    let answer = tokio::time::timeout(PATIENCE, talk).await;
    line.close("enrolled").await;
    match answer {
        Ok(Ok(Frame::Enrolled(papers))) => Ok(papers),
        Ok(Ok(Frame::Refused(no))) => Err(EnrollError::Refused {
            address: address.clone(),
            reason: one_line(&no.reason),
        }),
        Ok(Ok(_)) => Err(EnrollError::Failed(format!(
            "the console at {address} answers with what is no answer to an enrollment"
        ))),
        Ok(Err(error)) => Err(failed(Trouble::broken(address, &error))),
        Err(_) => Err(failed(Trouble::unreachable(address))),
    }
}

/// Papers that would not work tomorrow are better not kept.
fn check(papers: &Enrolled, authority: [u8; 32], address: &str) -> Result<(), String> {
    if fingerprint(&papers.ca) != authority {
        return Err(format!(
            "the console at {address} sent another CA than the token names"
        ));
    }
    check_sensor_certificate(&papers.certificate, &papers.ca, UnixTime::now()).map_err(|error| {
        match error {
            rustls::Error::InvalidCertificate(
                CertificateError::ExpiredContext { .. }
                | CertificateError::NotValidYetContext { .. },
            ) => format!(
                "by this machine's clock the certificate that the console at {address} issued is \
                 not valid: set the clocks of both machines, and enroll with a new token"
            ),
            error => {
                format!("the console at {address} issued a certificate that is not good: {error}")
            }
        }
    })
}
