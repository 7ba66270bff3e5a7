//! Attacks: each must raise the alerts it names, and no others.

use crate::scene::Scene;

mod asrep_roast_getnpusers;
mod asrep_roast_minikerberos;
mod brute_kerbrute;
mod brute_kinit;
mod dcsync_kerberos;
mod dcsync_refused;
mod dcsync_secretsdump;
mod dcsync_vampire;
mod enum_getnpusers;
mod enum_kinit;
mod enum_nmap;
mod kerberoast_getuserspns;
mod kerberoast_kvno;
mod spray_kerbrute;
mod spray_kinit;

/// In the order in which they are recorded.
pub(super) const SCENES: &[Scene] = &[
    asrep_roast_getnpusers::SCENE,
    asrep_roast_minikerberos::SCENE,
    brute_kerbrute::SCENE,
    brute_kinit::SCENE,
    dcsync_kerberos::SCENE,
    dcsync_refused::SCENE,
    dcsync_secretsdump::SCENE,
    dcsync_vampire::SCENE,
    enum_getnpusers::SCENE,
    enum_kinit::SCENE,
    enum_nmap::SCENE,
    kerberoast_getuserspns::SCENE,
    kerberoast_kvno::SCENE,
    spray_kerbrute::SCENE,
    spray_kinit::SCENE,
];
