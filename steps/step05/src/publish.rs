//! Published ports: the launcher listens on the machine and carries the bytes.
//!
//! A rule in the kernel could do it faster, but a rule can be made for a port
//! that somebody listens on already, and it can outlive its maker. A listener
//! gives an error in the first case, and the kernel closes it in the second.

use std::io;
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::thread;

use anyhow::{Context, Result};
use step00::Advice;

/// `HOST:INSIDE`, two TCP ports.
pub type Ports = (u16, u16);

/// Reads `HOST:INSIDE`.
pub fn parse(text: &str) -> Result<Ports, String> {
    let ports = text.split_once(':').and_then(|(host, inside)| {
        Some((host.parse().ok()?, inside.parse().ok()?))
    });
    match ports {
        Some((host, inside)) if host > 0 && inside > 0 => Ok((host, inside)),
        _ => Err("write two port numbers, HOST:INSIDE".into()),
    }
}

/// A port of the machine that has been taken, and who is to answer.
#[derive(Debug)]
pub struct Published {
    listener: TcpListener,
    inside: u16,
}

/// Takes the machine's ports, before anything else is made.
///
/// # Errors
/// EADDRINUSE when somebody listens there, EACCES below 1024 without root.
pub fn listen(ports: &[Ports]) -> Result<Vec<Published>> {
    let listen = |&(host, inside): &Ports| {
        let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, host))
            .with_context(|| format!("listen on the machine's port {host}"))
            .advice("choose another; `ss -ltnp` shows who has it")?;
        Ok(Published { listener, inside })
    };
    ports.iter().map(listen).collect()
}

/// Starts to carry, in threads that end with the launcher. To be called after
/// the container's process has been made: clone3 wants a single thread.
pub fn serve(published: &[Published], address: Ipv4Addr) -> Result<()> {
    for Published { listener, inside } in published {
        let listener = listener.try_clone().context("share a listener")?;
        let inside = *inside;
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                thread::spawn(move || carry(client, (address, inside)));
            }
        });
    }
    Ok(())
}

/// Both directions, until both are finished. Nobody listens inside: the
/// connection is closed, as it would be by a machine that has no such server.
fn carry(client: TcpStream, server: (Ipv4Addr, u16)) -> io::Result<()> {
    let server = TcpStream::connect(server)?;
    let (client_too, server_too) = (client.try_clone()?, server.try_clone()?);
    let there = thread::spawn(move || carry_one_way(client, server));
    carry_one_way(server_too, client_too)?;
    there.join().map_err(|_| io::Error::other("carrying failed"))?
}

fn carry_one_way(mut from: TcpStream, mut to: TcpStream) -> io::Result<()> {
    let copied = io::copy(&mut from, &mut to);
    // The one side has nothing more to say; the other may still answer.
    to.shutdown(Shutdown::Write)?;
    copied.map(drop)
}
