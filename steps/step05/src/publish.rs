//! Published ports: the launcher listens on the machine and carries the bytes.
//!
//! A rule in the kernel could do it faster, but a rule can be made for a port
//! on which a program listens already, and it can outlive its maker. A
//! listener gives an error in the first case, and the kernel closes it in the
//! second.

use std::io;
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::thread;
use std::time::Duration;

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

/// A port of the machine on which we listen, and the port inside that is to
/// answer.
#[derive(Debug)]
pub struct Published {
    listener: TcpListener,
    inside: u16,
    connections: Connections,
}

/// The connections on which a server may still say something.
type Connections = Arc<Mutex<Vec<Weak<Connection>>>>;

/// A connection's server end, once there is one.
type Connection = OnceLock<TcpStream>;

/// Takes the machine's ports, before anything else is made.
///
/// # Errors
/// EADDRINUSE when a program listens there already, EACCES below 1024 without
/// root.
pub fn listen(ports: &[Ports]) -> Result<Vec<Published>> {
    let listen = |&(host, inside): &Ports| {
        let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, host))
            .with_context(|| format!("listen on the machine's port {host}"))
            .advice("choose another; `ss -ltnp` shows who has it")?;
        let connections = Connections::default();
        Ok(Published { listener, inside, connections })
    };
    ports.iter().map(listen).collect()
}

/// Starts to carry, in threads that end with the launcher. To be called after
/// the container's process has been made: clone3 wants a single thread.
pub fn serve(published: &[Published], address: Ipv4Addr) -> Result<()> {
    for port in published {
        let server = (address, port.inside);
        let listener =
            port.listener.try_clone().context("share a listener")?;
        let connections = port.connections.clone();
        start(move || accept(&listener, server, &connections))
            .context("start a thread to carry a port's bytes")?;
    }
    Ok(())
}

fn accept(
    listener: &TcpListener,
    server: (Ipv4Addr, u16),
    connections: &Connections,
) {
    loop {
        let accepted = listener.accept().and_then(|(client, _)| {
            let connection = Arc::new(Connection::new());
            remember(connections, &connection);
            start(move || drop(carry(client, server, &connection)))
        });
        if accepted.is_err() {
            // No descriptor or no thread is free. That passes, and meanwhile
            // the kernel keeps new connections in a queue (listen(2)).
            thread::sleep(Duration::from_millis(10));
        }
    }
}

/// thread::spawn would panic where no thread can be had (EAGAIN).
fn start(work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    thread::Builder::new().spawn(work).map(drop)
}

fn remember(connections: &Connections, connection: &Arc<Connection>) {
    if let Ok(mut known) = connections.lock() {
        known.retain(|connection| connection.strong_count() > 0);
        known.push(Arc::downgrade(connection));
    }
}

/// Carries both directions until both are finished. When nothing listens
/// inside, the connection is closed, as by a machine that has no such server.
fn carry(
    client: TcpStream,
    server: (Ipv4Addr, u16),
    connection: &Connection,
) -> io::Result<()> {
    let server = TcpStream::connect(server)?;
    let server = connection.get_or_init(|| server);
    let (client_too, server_too) = (client.try_clone()?, server.try_clone()?);
    start(move || drop(carry_one_way(&client, &server_too)))?;
    carry_one_way(server, &client_too)
}

fn carry_one_way(mut from: &TcpStream, mut to: &TcpStream) -> io::Result<()> {
    let copied = io::copy(&mut from, &mut to);
    // The one side has nothing more to say; the other may still answer.
    to.shutdown(Shutdown::Write)?;
    copied.map(drop)
}

impl Drop for Published {
    /// After the container's end: what its servers said last is still on its
    /// way through the threads, which end with us.
    fn drop(&mut self) {
        let Ok(known) = self.connections.lock() else { return };
        for connection in known.iter().filter_map(Weak::upgrade) {
            // What has arrived can still be read, and then comes the end.
            let server = connection.get();
            let _ = server.map(|server| server.shutdown(Shutdown::Read));
        }
        // One second at most for a client that does not listen.
        for _ in 0..100 {
            if known.iter().all(|connection| connection.strong_count() == 0) {
                break;
            }
            thread::sleep(Duration::from_millis(10));
        }
    }
}
