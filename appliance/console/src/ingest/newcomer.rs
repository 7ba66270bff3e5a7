//! Enrollment: a token in, a certificate out.
//!
//! The newcomer trusts us by our authority's fingerprint, which its token carries; we trust it
//! by the token's secret. Whoever guesses secrets gets a clear answer slower and slower; guessing
//! 256 bits is hopeless anyway, so the throttle is there to keep the log and the disk quiet.

use std::sync::{Arc, PoisonError};
use std::time::Instant;

use goshawk_model::frame::{Enroll, Enrolled, Frame};
use quinn::Connection;
use tokio::time::timeout;
use tracing::info;

use super::wire::{self, FrameReader};
use super::{Close, PATIENCE, Shared, close_connection};
use crate::clock;
use crate::enrollment::check_name;
use crate::limit::origin;
use crate::pki::Issued;
use crate::store::{sensors, tokens};
use crate::{Error, Result};

/// The largest frame taken from somebody who has not shown a certificate.
const MAX_FRAME: usize = 16 * 1024;

/// Why a newcomer is refused.
enum Refusal {
    /// Trying the same again cannot help.
    Permanent(String),
    /// It can, later.
    Temporary(String),
}

/// Serves one newcomer.
pub(super) async fn serve(shared: &Arc<Shared>, connection: &Connection) {
    let first = timeout(PATIENCE, async {
        let (sending, receiving) = connection.accept_bi().await.ok()?;
        let frame = FrameReader::new(receiving, MAX_FRAME).next().await.ok()??;
        Some((sending, frame))
    });
    let Ok(Some((mut sending, Frame::Enroll(enroll)))) = first.await else {
        return close_connection(connection, Close::Protocol, "expected an enrollment");
    };
    let address = connection.remote_address();
    match admit(shared, connection, enroll).await {
        Ok(enrolled) => {
            info!("sensor {} enrolled from {address}", enrolled.sensor);
            if wire::send(&mut sending, &Frame::Enrolled(enrolled))
                .await
                .is_ok()
            {
                wire::farewell(connection, &mut sending).await;
            }
            close_connection(connection, Close::Done, "enrolled");
        }
        Err(refusal) => {
            let (permanent, reason) = match refusal {
                Refusal::Permanent(reason) => (true, reason),
                Refusal::Temporary(reason) => (false, reason),
            };
            shared.complain(&format!("refused an enrollment from {address}: {reason}"));
            wire::refuse(connection, &mut sending, permanent, &reason).await;
        }
    }
}

async fn admit(
    shared: &Arc<Shared>,
    connection: &Connection,
    enroll: Enroll,
) -> Result<Enrolled, Refusal> {
    let origin = origin(connection.remote_address().ip());
    let throttle = || {
        shared
            .enrollments
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    };
    if let Some(wait) = throttle().wait(&origin, Instant::now()) {
        return Err(Refusal::Temporary(format!(
            "too many failed enrollments from this address: wait {} s",
            wait.as_secs() + 1
        )));
    }
    check_name(&enroll.sensor).map_err(Refusal::Permanent)?;
    let sensor = enroll.sensor.clone();
    match keep(shared, enroll).await {
        Ok(Ok(issued)) => {
            throttle().succeeded(&origin);
            Ok(Enrolled {
                sensor,
                certificate: issued.certificate,
                ca: shared.authority.certificate().to_vec(),
            })
        }
        Ok(Err(reason)) => {
            throttle().failed(origin, Instant::now());
            Err(Refusal::Permanent(reason))
        }
        Err(error) => Err(Refusal::Temporary(format!(
            "the console cannot keep the enrollment now ({error}): try again"
        ))),
    }
}

/// Verifies, signs and keeps in one transaction: a refusal uses nothing up.
async fn keep(shared: &Arc<Shared>, enroll: Enroll) -> Result<Result<Issued, String>> {
    let authority = Arc::clone(&shared.authority);
    let outcome = shared
        .store
        .write(move |tx| {
            let now = clock::now();
            if let Err(refusal) = tokens::verify(tx, &enroll.secret, &enroll.sensor, now)? {
                return Ok(Err(refusal.to_string()));
            }
            let issued = match authority.sign_sensor(&enroll.sensor, &enroll.csr) {
                Ok(issued) => issued,
                Err(reason) => return Ok(Err(reason)),
            };
            if let Err(reason) = sensors::enroll(tx, &enroll.sensor, &issued, now)? {
                return Ok(Err(reason));
            }
            tokens::use_up(tx, &enroll.secret, &enroll.sensor, now)?;
            Ok(Ok(issued))
        })
        .await;
    match outcome {
        Err(error @ Error::Store(_)) => {
            tracing::error!("cannot keep an enrollment: {error}");
            Err(error)
        }
        other => other,
    }
}
