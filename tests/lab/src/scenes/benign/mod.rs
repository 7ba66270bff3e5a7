//! Ordinary life, the look-alikes of attacks above all: nothing may be raised.

use crate::scene::Scene;

mod controller_join;
mod expired_password;
mod idle;
mod join_adcli;
mod join_net_ads;
mod mistyped_names;
mod mistyped_passwords;
mod nopreauth_logon;
mod replication;
mod replication_midstream;
mod service_tickets;
mod terminal_server;
mod workday;

/// In the order in which they are recorded: what changes the domain comes last.
pub(super) const SCENES: &[Scene] = &[
    idle::SCENE,
    workday::SCENE,
    service_tickets::SCENE,
    terminal_server::SCENE,
    mistyped_passwords::SCENE,
    mistyped_names::SCENE,
    expired_password::SCENE,
    nopreauth_logon::SCENE,
    join_adcli::SCENE,
    join_net_ads::SCENE,
    controller_join::SCENE,
    replication::SCENE,
    replication_midstream::SCENE,
];
