//! A sensor's connection: alerts and health come in, acknowledgements go out.
//!
//! What has arrived is committed in one transaction, then acknowledged; while a commit runs the
//! next batch gathers, so a storm makes batches grow instead of queues. Nothing is held back to
//! fill a batch.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use goshawk_model::SensorHealth;
use goshawk_model::frame::{Ack, Frame, Hello, Item, MAX_FRAME, Renewed, Welcome};
use quinn::{Connection, SendStream};
use rustls::pki_types::CertificateDer;
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};
use tracing::{debug, error, info, warn};

use super::live::Eviction;
use super::wire::{self, FrameReader, WireError};
use super::{Close, PATIENCE, Shared, bounds, close_connection, compatibility};
use crate::clock;
use crate::enrollment::check_name;
use crate::error::{Error, Result};
use crate::secret;
use crate::store::alerts::{self, Kept};
use crate::store::sensors::{self, Arrival, MAX_CLOCK_OFFSET, Standing};

/// Items committed in one transaction.
const MAX_BATCH: usize = 512;
/// The longest name of a spool, bytes.
const MAX_SPOOL_NAME: usize = 128;
/// How long to wait before a store that refused is asked again; doubles up to the second.
const RETRY: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(15));

/// What has arrived and is not yet committed.
#[derive(Default)]
struct Batch {
    items: Vec<Item>,
    health: Option<Box<SensorHealth>>,
    renewal: Option<Vec<u8>>,
}

/// How a connection ended.
enum End {
    /// The sensor or the network ended it.
    Left(String),
    /// The sensor must go.
    Evicted(Eviction),
    /// The sensor broke the protocol, or asked for what cannot be.
    Refused(String),
}

/// Serves one sensor from its first frame to its last.
pub(super) async fn serve(shared: &Arc<Shared>, connection: &Connection) {
    let address = connection.remote_address();
    let Some(fingerprint) = fingerprint(connection) else {
        shared.complain(&format!("{address} wants to deliver without a certificate"));
        return close_connection(
            connection,
            Close::Refused,
            "no certificate: enroll this sensor with a token first",
        );
    };
    let first = timeout(PATIENCE, async {
        let (sending, receiving) = connection.accept_bi().await.ok()?;
        let mut reader = FrameReader::new(receiving, MAX_FRAME);
        match reader.next().await.ok()?? {
            Frame::Hello(hello) => Some((sending, reader, hello)),
            _ => None,
        }
    });
    let Ok(Some((mut sending, mut reader, hello))) = first.await else {
        return close_connection(connection, Close::Protocol, "expected a hello");
    };
    let name = match admit(shared, fingerprint, &hello).await {
        Ok(name) => name,
        Err((permanent, reason)) => {
            warn!("refused a sensor at {address}: {reason}");
            return wire::refuse(connection, &mut sending, permanent, &reason).await;
        }
    };
    let (place, mut evicted) = shared.live.enter(&name);
    info!(
        "sensor {name} connected from {address}, build {}",
        hello.build
    );
    let end = match welcome(shared, connection, &mut sending, &name, &hello).await {
        Ok(()) => {
            deliver(
                shared,
                &mut sending,
                &mut reader,
                &name,
                &hello.spool,
                &mut evicted,
            )
            .await
        }
        Err(error) => End::Left(error),
    };
    finish(connection, &mut sending, &name, end).await;
    if shared.live.leave(&place) {
        let noted = shared.store.write(move |tx| sensors::left(tx, &name)).await;
        if let Err(error) = noted {
            debug!("cannot note that a sensor left: {error}");
        }
    }
}

fn fingerprint(connection: &Connection) -> Option<[u8; 32]> {
    let identity = connection.peer_identity()?;
    let chain = identity.downcast::<Vec<CertificateDer<'static>>>().ok()?;
    Some(secret::digest(chain.first()?))
}

/// The sensor's name, or whether it is refused for good and why.
async fn admit(
    shared: &Shared,
    fingerprint: [u8; 32],
    hello: &Hello,
) -> Result<String, (bool, String)> {
    let standing = shared
        .store
        .write(move |tx| sensors::admit(tx, &fingerprint))
        .await
        .map_err(|error| {
            (
                false,
                format!("the console cannot look you up now: {error}"),
            )
        })?;
    let name = match standing {
        Standing::Good(name) => name,
        Standing::Revoked(name) => return Err((true, revoked(&name))),
        Standing::Unknown => {
            return Err((
                true,
                "this certificate is not, or no longer, a sensor's: enroll the sensor again \
                 with a token from 'goshawk-console token'"
                    .into(),
            ));
        }
    };
    if hello.sensor != name {
        let said = check_name(&hello.sensor)
            .map_or_else(|_| "something else".to_owned(), |()| hello.sensor.clone());
        return Err((
            true,
            format!("the certificate is {name}'s, the sensor calls itself {said}: enroll it anew"),
        ));
    }
    if hello.spool.is_empty() || hello.spool.len() > MAX_SPOOL_NAME {
        return Err((true, format!("sensor {name} names no spool: update it")));
    }
    compatibility::check(hello).map_err(|reason| (false, reason))?;
    Ok(name)
}

async fn welcome(
    shared: &Shared,
    connection: &Connection,
    sending: &mut SendStream,
    name: &str,
    hello: &Hello,
) -> Result<(), String> {
    let now = clock::now();
    let arrival = Arrival {
        address: connection.remote_address().to_string(),
        build: hello.build.clone(),
        mode: hello.mode.chars().take(16).collect(),
        clock_offset: clock::offset(hello.clock, now),
    };
    let off = Duration::from_nanos(arrival.clock_offset.unsigned_abs());
    if off > MAX_CLOCK_OFFSET {
        warn!(
            "the clock of sensor {name} is off by {}",
            clock::readable(off)
        );
    }
    let (name, spool) = (name.to_owned(), hello.spool.clone());
    let acknowledged = shared
        .store
        .write(move |tx| {
            sensors::arrived(tx, &name, &arrival, now)?;
            alerts::acknowledged(tx, &name, &spool)
        })
        .await
        .map_err(|error| error.to_string())?;
    let welcome = Frame::Welcome(Welcome {
        build: env!("CARGO_PKG_VERSION").into(),
        clock: clock::now(),
        acknowledged,
    });
    wire::send(sending, &welcome)
        .await
        .map_err(|error| error.to_string())
}

/// Takes batches until something ends the connection.
async fn deliver(
    shared: &Arc<Shared>,
    sending: &mut SendStream,
    reader: &mut FrameReader,
    name: &str,
    spool: &str,
    evicted: &mut oneshot::Receiver<Eviction>,
) -> End {
    loop {
        let mut batch = Batch::default();
        tokio::select! {
            why = &mut *evicted => return End::Evicted(why.unwrap_or(Eviction::Stopping)),
            first = reader.next() => {
                if let Err(end) = batch.add(first, name) {
                    return end;
                }
            }
        }
        // And whatever else is here already.
        while batch.items.len() < MAX_BATCH {
            let more = tokio::select! {
                biased;
                more = reader.next() => more,
                () = std::future::ready(()) => break,
            };
            match batch.add(more, name) {
                Ok(()) => {}
                // What came before the end is still worth keeping.
                Err(end) => {
                    return match commit(shared, sending, batch, name, spool, evicted).await {
                        Ok(()) => end,
                        Err(earlier) => earlier,
                    };
                }
            }
        }
        if let Err(end) = commit(shared, sending, batch, name, spool, evicted).await {
            return end;
        }
    }
}

impl Batch {
    fn add(&mut self, frame: Result<Option<Frame>, WireError>, name: &str) -> Result<(), End> {
        match frame {
            // SQLite's integers end there, and no honest spool comes near.
            Ok(Some(Frame::Item(item))) if i64::try_from(item.sequence).is_err() => {
                return Err(End::Refused(format!(
                    "sequence {} is beyond every spool's end",
                    item.sequence
                )));
            }
            Ok(Some(Frame::Item(mut item))) => {
                bounds::alert(&mut item.alert, name);
                self.items.push(*item);
            }
            Ok(Some(Frame::Health(mut health))) => {
                bounds::health(&mut health, name);
                self.health = Some(health);
            }
            Ok(Some(Frame::Renew(renew))) => self.renewal = Some(renew.csr),
            Ok(Some(_)) => {
                return Err(End::Refused("a frame that sensors do not send here".into()));
            }
            Ok(None) => return Err(End::Left("it said goodbye".into())),
            Err(WireError::Frame(error)) => return Err(End::Refused(error.to_string())),
            Err(error) => return Err(End::Left(error.to_string())),
        }
        Ok(())
    }
}

/// Commits a batch, then acknowledges it; asks again for as long as the store refuses.
async fn commit(
    shared: &Arc<Shared>,
    sending: &mut SendStream,
    batch: Batch,
    name: &str,
    spool: &str,
    evicted: &mut oneshot::Receiver<Eviction>,
) -> Result<(), End> {
    let had_items = !batch.items.is_empty();
    let renewed = match &batch.renewal {
        Some(csr) => Some(
            shared
                .authority
                .sign_sensor(name, csr)
                .map_err(End::Refused)?,
        ),
        None => None,
    };
    let certificate = renewed.as_ref().map(|issued| issued.certificate.clone());
    let batch = Arc::new(batch);
    let mut wait = RETRY.0;
    let kept = loop {
        let (batch, renewed) = (Arc::clone(&batch), renewed.clone());
        let (sensor, spool) = (name.to_owned(), spool.to_owned());
        let outcome = shared
            .store
            .write(move |tx| -> Result<Kept> {
                let now = clock::now();
                if let Some(health) = &batch.health {
                    sensors::keep_health(tx, &sensor, health, now)?;
                }
                if let Some(issued) = &renewed {
                    sensors::renew(tx, &sensor, issued)?;
                }
                alerts::keep(tx, &sensor, &spool, &batch.items, now)
            })
            .await;
        match outcome {
            Ok(kept) => break kept,
            Err(error) => report_refusal(shared, &error),
        }
        tokio::select! {
            why = &mut *evicted => return Err(End::Evicted(why.unwrap_or(Eviction::Stopping))),
            () = sleep(wait) => wait = (wait * 2).min(RETRY.1),
        }
    };
    if shared.store_refuses.swap(false, Ordering::Relaxed) {
        info!("the store keeps alerts again");
    }
    if kept.foreign > 0 {
        warn!(
            "sensor {name} sent {} alerts that another sensor had raised: not taken",
            kept.foreign
        );
    }
    let mut answers = Vec::new();
    if had_items {
        answers.push(Frame::Ack(Ack {
            sequence: kept.acknowledged,
        }));
    }
    if let Some(certificate) = certificate {
        info!("sensor {name} has a new certificate");
        answers.push(Frame::Renewed(Renewed { certificate }));
    }
    for answer in answers {
        wire::send(sending, &answer)
            .await
            .map_err(|error| End::Left(error.to_string()))?;
    }
    Ok(())
}

/// Says once that the store refuses, however many sensors are waiting for it.
fn report_refusal(shared: &Shared, error: &Error) {
    if !shared.store_refuses.swap(true, Ordering::Relaxed) {
        let advice = if error.is_full() {
            "make room on its disk"
        } else {
            "see to its disk"
        };
        error!("{error}: alerts are not kept, and stay with their sensors; {advice}");
    }
}

async fn finish(connection: &Connection, sending: &mut SendStream, name: &str, end: End) {
    match end {
        End::Left(why) => {
            info!("sensor {name} left: {why}");
            close_connection(connection, Close::Done, "");
        }
        End::Refused(why) => {
            warn!("sensor {name} broke the protocol: {why}");
            wire::refuse(connection, sending, false, &why).await;
        }
        End::Evicted(Eviction::Revoked) => {
            info!("sensor {name} was revoked: its connection is closed");
            wire::refuse(connection, sending, true, &revoked(name)).await;
        }
        End::Evicted(Eviction::Replaced) => {
            warn!("sensor {name} connected again: its earlier connection is closed");
            let reason = "this sensor connected again from elsewhere";
            wire::refuse(connection, sending, false, reason).await;
        }
        End::Evicted(Eviction::Stopping) => {
            close_connection(connection, Close::Done, "the console stops");
        }
    }
}

fn revoked(name: &str) -> String {
    format!(
        "sensor {name} was revoked: enroll it again with a token from 'goshawk-console token' \
         if it should report here"
    )
}
