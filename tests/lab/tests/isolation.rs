//! What holds the lab together: nothing outlives its process, and two runs never meet.
//!
//! Needs root, as namespaces do; without it there is nothing to try, and the tests say so.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use goshawk_lab::{Host, Namespace, Network};

const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 83, 0, 10);

fn privileged() -> bool {
    let root = nix::unistd::geteuid().is_root();
    if !root {
        eprintln!("not tried: network namespaces need root");
    }
    root
}

/// Set for the process that a test kills.
const VICTIM: &str = "GOSHAWK_LAB_VICTIM";

#[test]
fn nothing_survives_kill_9() {
    if !privileged() {
        return;
    }
    if std::env::var_os(VICTIM).is_some() {
        live_until_killed();
    }
    let mut victim = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "nothing_survives_kill_9", "--nocapture"])
        .env(VICTIM, "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let said = BufReader::new(victim.stdout.take().unwrap());
    let mut lines = said.lines().map(|line| line.unwrap());
    let pids = lines
        .find_map(|line| Some(line.split_once("holds ")?.1.to_owned()))
        .unwrap();
    victim.kill().unwrap();
    victim.wait().unwrap();
    let deadline = Instant::now() + Duration::from_secs(10);
    for pid in pids.split_whitespace() {
        while alive(pid) {
            assert!(Instant::now() < deadline, "process {pid} outlives the lab");
            sleep(Duration::from_millis(10));
        }
    }
}

/// The victim's part: a namespace made by a thread that has ended since, and a program in it.
fn live_until_killed() -> ! {
    let make = || Namespace::new("victim").expect("a namespace");
    let namespace = std::thread::spawn(make)
        .join()
        .expect("its maker ends well");
    let mut command = Command::new("sleep");
    command.arg("600");
    let mut program = namespace.spawn(command).expect("a program in it");
    println!("holds {} {}", namespace.pid(), program.id());
    let ended = program.wait();
    panic!("nobody killed this process: {ended:?}");
}

fn alive(pid: &str) -> bool {
    // A zombie is dead; whoever inherited it has only not looked yet.
    fs::read_link(format!("/proc/{pid}/exe")).is_ok()
}

#[test]
fn two_labs_with_the_same_names_and_addresses_do_not_meet() {
    if !privileged() {
        return;
    }
    let (one, other) = (Network::new().unwrap(), Network::new().unwrap());
    let here = Host::new(&one, "dc1", ADDRESS, ADDRESS).unwrap();
    let neighbour = Host::new(&one, "ws1", Ipv4Addr::new(10, 83, 0, 21), ADDRESS).unwrap();
    let there = Host::new(&other, "ws1", Ipv4Addr::new(10, 83, 0, 21), ADDRESS).unwrap();
    let listener = here
        .namespace()
        .inside(|| Ok(TcpListener::bind((ADDRESS, 88))?))
        .unwrap();
    let reach = |host: &Host| {
        let target = (ADDRESS, 88).into();
        let limit = Duration::from_millis(500);
        let reached = host
            .namespace()
            .inside(|| Ok(TcpStream::connect_timeout(&target, limit)?));
        reached.is_ok()
    };
    assert!(reach(&neighbour), "its own lab reaches the controller");
    assert!(!reach(&there), "the other lab does not");
    drop(listener);
}

#[test]
fn a_hosts_files_and_name_are_its_own() {
    if !privileged() {
        return;
    }
    let network = Network::new().unwrap();
    let host = Host::new(&network, "dc1", ADDRESS, ADDRESS).unwrap();
    let outside = fs::read_to_string("/etc/hosts").unwrap();
    assert_eq!(host.script("uname -n").unwrap().trim(), "dc1");
    assert!(
        host.script("cat /etc/hosts")
            .unwrap()
            .contains("10.83.0.10 dc1.hawk.example dc1")
    );
    assert_eq!(fs::read_to_string("/etc/hosts").unwrap(), outside);
    let failure = host.script("echo gone wrong; false").unwrap_err();
    assert!(format!("{failure:#}").contains("gone wrong"));
}
