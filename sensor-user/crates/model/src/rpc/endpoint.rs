//! Answers of the endpoint mapper ([C706] appendices L and O).

use std::fmt;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Excerpt;

/// An answer of the endpoint mapper: where an interface listens ([C706] appendix L).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointMapped {
    /// The interface that was asked for.
    pub interface: Uuid,
    /// The TCP endpoint it was told.
    pub endpoint: SocketAddr,
}

/// What operations of the endpoint mapper were called with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum EpmArguments {
    /// `ept_map`: where is this?
    Map {
        /// What was asked for.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        asked: Option<Tower>,
        /// What was told.
        told: Excerpt<Tower>,
    },
    /// `ept_lookup`: what is there?
    Lookup {
        /// What was told.
        told: Excerpt<Tower>,
    },
}

/// A tower: an interface, and how it is reached ([C706] appendix L).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Tower {
    /// The interface.
    pub interface: Uuid,
    /// `ncacn_ip_tcp`, `ncacn_http`: the port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// `ncacn_http`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub http: bool,
    /// `ncacn_np`: the pipe.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pipe: Option<Box<str>>,
}

impl fmt::Display for EndpointMapped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "dcerpc endpoint of {} is {}",
            self.interface, self.endpoint
        )
    }
}

impl fmt::Display for EpmArguments {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Map { asked, told } => match asked {
                Some(asked) => write!(f, "of {}: {told}", asked.interface),
                None => told.fmt(f),
            },
            Self::Lookup { told } => told.fmt(f),
        }
    }
}

impl fmt::Display for Tower {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.interface.fmt(f)?;
        match (&self.pipe, self.port) {
            (Some(pipe), _) => write!(f, " at pipe {pipe}"),
            (None, Some(port)) if self.http => write!(f, " at http port {port}"),
            (None, Some(port)) => write!(f, " at port {port}"),
            (None, None) => Ok(()),
        }
    }
}
