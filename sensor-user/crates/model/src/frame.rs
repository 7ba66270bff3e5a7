//! The frames that sensor and console exchange over QUIC.
//!
//! A frame is a length (4 bytes, big endian, of what follows), a kind (1 byte), a version
//! (1 byte) and a CBOR map. Unknown fields are ignored and absent ones defaulted, so a console
//! takes sensors two minor versions older. Frames of an unknown kind are skipped by their length.
//!
//! On a `goshawk/1` connection the sensor opens one bidirectional stream. It sends [`Hello`];
//! the console answers [`Welcome`] or [`Refused`]; then [`Item`]s and [`Health`](SensorHealth)
//! flow one way and [`Ack`]s the other. An item may come twice, after a connection broke before
//! its acknowledgement: the console keeps it once.
//!
//! On a `goshawk-enroll/1` connection, where the sensor has no certificate yet, it sends
//! [`Enroll`] and the console answers [`Enrolled`] or [`Refused`].

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{Alert, SensorHealth, Timestamp};

/// ALPN of the connection that carries alerts.
pub const ALPN: &[u8] = b"goshawk/1";
/// ALPN of the connection that enrolls a sensor.
pub const ALPN_ENROLL: &[u8] = b"goshawk-enroll/1";
/// The one name that a console's certificate carries, whatever its address.
pub const SERVER_NAME: &str = "console.goshawk";
/// The UDP port that a console listens on.
pub const PORT: u16 = 4747;
/// The layout of the maps; rises when a field changes its meaning.
pub const SCHEMA: u16 = 1;
/// The largest frame, bytes after the length field. An alert at its bounds stays far below.
pub const MAX_FRAME: usize = 1 << 20;

/// A frame's body.
#[derive(Clone, Debug, PartialEq)]
pub enum Frame {
    /// Sensor: who I am.
    Hello(Hello),
    /// Console: welcome.
    Welcome(Welcome),
    /// Console: no, and why.
    Refused(Refused),
    /// Sensor: something to keep.
    Item(Box<Item>),
    /// Console: kept.
    Ack(Ack),
    /// Sensor: how I am.
    Health(Box<SensorHealth>),
    /// Sensor: a new certificate, please (after 60 of its 90 days).
    Renew(Renew),
    /// Console: here it is.
    Renewed(Renewed),
    /// Newcomer: let me in.
    Enroll(Enroll),
    /// Console: here are your papers.
    Enrolled(Enrolled),
}

/// The sensor's first frame.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Hello {
    /// The sensor's name, as in its certificate.
    pub sensor: String,
    /// Its build, `0.1.0`.
    pub build: String,
    /// [`SCHEMA`] of that build.
    pub schema: u16,
    /// Its clock, so that the console can tell how far it is off.
    pub clock: Timestamp,
    /// Its mode of capture.
    pub mode: String,
    /// The spool's identity: sequences are counted within it.
    pub spool: String,
}

/// The console's answer to [`Hello`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Welcome {
    /// The console's build.
    pub build: String,
    /// The console's clock.
    pub clock: Timestamp,
    /// The highest sequence of this spool that is already kept.
    pub acknowledged: u64,
}

/// A refusal: one clear line for the sensor's log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Refused {
    /// What is wrong and what to do.
    pub reason: String,
    /// Whether trying again can help.
    pub permanent: bool,
}

/// Something the console must keep.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Item {
    /// Its place in the spool; rises by one from 1.
    pub sequence: u64,
    /// What it is.
    pub alert: Alert,
}

/// Everything up to this sequence is committed at the console.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Ack {
    /// The sequence.
    pub sequence: u64,
}

/// A certificate signing request for a certificate that runs out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Renew {
    /// PKCS #10, DER.
    pub csr: Vec<u8>,
}

/// The renewed certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Renewed {
    /// X.509, DER.
    pub certificate: Vec<u8>,
}

/// A newcomer's request.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Enroll {
    /// The name it wants.
    pub sensor: String,
    /// The token's one-time secret.
    pub secret: Vec<u8>,
    /// PKCS #10, DER; the key stays with the sensor.
    pub csr: Vec<u8>,
}

impl std::fmt::Debug for Enroll {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The secret stays out of logs.
        f.debug_struct("Enroll")
            .field("sensor", &self.sensor)
            .finish_non_exhaustive()
    }
}

/// A newcomer's papers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Enrolled {
    /// The name it got.
    pub sensor: String,
    /// X.509, DER.
    pub certificate: Vec<u8>,
    /// The console's CA, DER.
    pub ca: Vec<u8>,
}

/// What an enrollment token says. Its text is `goshawk1.` and base64url of its CBOR.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// Where the console listens: `host:port`.
    pub address: String,
    /// SHA-256 of the CA's certificate, DER.
    pub ca_fingerprint: Vec<u8>,
    /// Good once, and for an hour unless said otherwise.
    pub secret: Vec<u8>,
}

/// A frame that cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// The length field asks for more than [`MAX_FRAME`], or less than kind and version.
    #[error("a frame of {0} bytes; frames have 2 to {MAX_FRAME}")]
    Length(usize),
    /// The map is not the CBOR that its kind asks for.
    #[error("an unreadable {kind} frame: {why}")]
    Body {
        /// The frame's kind.
        kind: &'static str,
        /// What the CBOR reader says.
        why: String,
    },
}

/// The layout version that this build writes.
const VERSION: u8 = 1;

impl Frame {
    /// The frame's bytes, length field and all.
    ///
    /// # Errors
    /// [`FrameError::Length`] if it would exceed [`MAX_FRAME`].
    pub fn encode(&self) -> Result<Vec<u8>, FrameError> {
        let mut bytes = vec![0, 0, 0, 0, self.kind(), VERSION];
        match self {
            Self::Hello(body) => write(body, &mut bytes),
            Self::Welcome(body) => write(body, &mut bytes),
            Self::Refused(body) => write(body, &mut bytes),
            Self::Item(body) => write(body, &mut bytes),
            Self::Ack(body) => write(body, &mut bytes),
            Self::Health(body) => write(body, &mut bytes),
            Self::Renew(body) => write(body, &mut bytes),
            Self::Renewed(body) => write(body, &mut bytes),
            Self::Enroll(body) => write(body, &mut bytes),
            Self::Enrolled(body) => write(body, &mut bytes),
        }
        let length = bytes.len() - 4;
        if length > MAX_FRAME {
            return Err(FrameError::Length(length));
        }
        bytes[..4].copy_from_slice(&(length as u32).to_be_bytes());
        Ok(bytes)
    }

    /// Reads what follows a length field; `None` for a kind this build does not know.
    ///
    /// # Errors
    /// If the bytes are too short or too many, or not the CBOR that the kind asks for.
    pub fn decode(bytes: &[u8]) -> Result<Option<Self>, FrameError> {
        let [kind, _version, body @ ..] = bytes else {
            return Err(FrameError::Length(bytes.len()));
        };
        if bytes.len() > MAX_FRAME {
            return Err(FrameError::Length(bytes.len()));
        }
        Ok(Some(match kind {
            1 => Self::Hello(read("hello", body)?),
            2 => Self::Welcome(read("welcome", body)?),
            3 => Self::Refused(read("refused", body)?),
            4 => Self::Item(read("item", body)?),
            5 => Self::Ack(read("ack", body)?),
            6 => Self::Health(read("health", body)?),
            7 => Self::Renew(read("renew", body)?),
            8 => Self::Renewed(read("renewed", body)?),
            9 => Self::Enroll(read("enroll", body)?),
            10 => Self::Enrolled(read("enrolled", body)?),
            _ => return Ok(None),
        }))
    }

    const fn kind(&self) -> u8 {
        match self {
            Self::Hello(_) => 1,
            Self::Welcome(_) => 2,
            Self::Refused(_) => 3,
            Self::Item(_) => 4,
            Self::Ack(_) => 5,
            Self::Health(_) => 6,
            Self::Renew(_) => 7,
            Self::Renewed(_) => 8,
            Self::Enroll(_) => 9,
            Self::Enrolled(_) => 10,
        }
    }
}

fn write<T: Serialize>(body: &T, bytes: &mut Vec<u8>) {
    // Writing to memory cannot fail, and no body holds a value that CBOR cannot say.
    ciborium::into_writer(body, bytes).expect("CBOR into memory");
}

/// How deep a body's maps and arrays may nest; ours need six.
const MAX_DEPTH: usize = 16;

fn read<T: DeserializeOwned>(kind: &'static str, body: &[u8]) -> Result<T, FrameError> {
    ciborium::de::from_reader_with_recursion_limit(body, MAX_DEPTH).map_err(|error| {
        FrameError::Body {
            kind,
            why: error.to_string(),
        }
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let hello = Frame::Hello(Hello {
            sensor: "dc1".into(),
            schema: SCHEMA,
            ..Hello::default()
        });
        let bytes = hello.encode().unwrap();
        assert_eq!(bytes[..4], ((bytes.len() - 4) as u32).to_be_bytes());
        assert_eq!(Frame::decode(&bytes[4..]).unwrap(), Some(hello));
    }

    #[test]
    fn fields_of_a_later_build_are_ignored_and_absent_ones_defaulted() {
        let mut bytes = vec![5, 9];
        ciborium::into_writer(
            &[("invented", 1)]
                .into_iter()
                .collect::<std::collections::BTreeMap<_, _>>(),
            &mut bytes,
        )
        .unwrap();
        assert_eq!(
            Frame::decode(&bytes).unwrap(),
            Some(Frame::Ack(Ack { sequence: 0 }))
        );
    }

    #[test]
    fn a_kind_of_a_later_build_is_skipped() {
        assert!(matches!(Frame::decode(&[200, 1, 0xa0]), Ok(None)));
    }

    #[test]
    fn the_golden_bytes_of_this_release() {
        assert_eq!(
            Frame::Ack(Ack { sequence: 7 }).encode().unwrap(),
            b"\x00\x00\x00\x0d\x05\x01\xa1\x68sequence\x07"
        );
    }

    #[test]
    fn a_secret_stays_out_of_debug_output() {
        let enroll = Enroll {
            secret: b"hunter2".to_vec(),
            ..Enroll::default()
        };
        assert!(!format!("{enroll:?}").contains("104"));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = Frame::decode(&bytes);
        }
    }
}
