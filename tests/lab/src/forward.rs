//! A door out of a namespace: connections to a local port are carried to an address inside.
//!
//! A person's browser lives outside the lab; a console inside it would be out of reach without touching
//! the machine's own network.

use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use anyhow::{Context, Result};
use nix::sched::{CloneFlags, setns};

use crate::namespace::Namespace;

/// Connections carried at once; further ones are closed at once.
const MOST_CONNECTIONS: usize = 64;

impl Namespace {
    /// Carries every connection to `listener` to `target` inside this namespace, until the process
    /// ends.
    ///
    /// # Errors
    /// If the namespace's handle cannot be duplicated.
    pub fn forward(&self, listener: TcpListener, target: SocketAddr) -> Result<()> {
        let inside = Arc::new(
            self.netns_fd()
                .try_clone_to_owned()
                .context("no more files")?,
        );
        let open = Arc::new(AtomicUsize::new(0));
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (inside, open) = (Arc::clone(&inside), Arc::clone(&open));
                if open.load(Ordering::Relaxed) >= MOST_CONNECTIONS {
                    continue;
                }
                open.fetch_add(1, Ordering::Relaxed);
                thread::spawn(move || {
                    // A connection that fails ends as any broken connection does: it closes.
                    let _ = carry(&client, &*inside, target);
                    open.fetch_sub(1, Ordering::Relaxed);
                });
            }
        });
        Ok(())
    }
}

fn carry(client: &TcpStream, inside: &impl AsFd, target: SocketAddr) -> io::Result<()> {
    setns(inside, CloneFlags::CLONE_NEWNET)?;
    join(client, &TcpStream::connect(target)?);
    Ok(())
}

/// Carries both directions until both have ended.
fn join(one: &TcpStream, other: &TcpStream) {
    thread::scope(|scope| {
        scope.spawn(|| pump(one, other));
        pump(other, one);
    });
}

fn pump(mut from: &TcpStream, mut to: &TcpStream) {
    // Either side may break off; the other one then learns of it by the end of its stream.
    let _ = io::copy(&mut from, &mut to);
    let _ = to.shutdown(Shutdown::Write);
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use super::*;

    #[test]
    fn what_goes_in_comes_out_both_ways() {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let door = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = TcpStream::connect(door.local_addr().unwrap()).unwrap();
        let near = door.accept().unwrap().0;
        let far = TcpStream::connect(server.local_addr().unwrap()).unwrap();
        let mut peer = server.accept().unwrap().0;
        thread::scope(|scope| {
            scope.spawn(|| join(&near, &far));
            client.write_all(b"portal").unwrap();
            client.shutdown(Shutdown::Write).unwrap();
            let mut heard = String::new();
            peer.read_to_string(&mut heard).unwrap();
            peer.write_all(heard.to_uppercase().as_bytes()).unwrap();
            peer.shutdown(Shutdown::Write).unwrap();
            heard.clear();
            client.read_to_string(&mut heard).unwrap();
            assert_eq!(heard, "PORTAL");
        });
    }
}
