use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::sync::watch;

use super::replies::{self, Replies};
use super::{Observer, Weather};

/// How the forwarding of a connection ended.
enum End {
    /// One of the two hung up.
    HungUp,
    /// A reply got lost, or what was said was cut short.
    Cut,
}

/// Serves one connection to its end.
pub(super) async fn serve(
    mut client: TcpStream,
    server: (String, u16),
    weather: watch::Receiver<Weather>,
    age: u64,
    observer: Arc<Observer>,
) {
    let reached = tokio::select! {
        reached = reach(&mut client, server, weather.clone()) => reached,
        () = until(weather.clone(), |weather| age < weather.clients_cut) => return reset(client),
    };
    let Ok((mut server, session)) = reached else { return reset(client) };
    let end = tokio::select! {
        end = forward(&mut client, &mut server, &weather, &session, &observer) => end.unwrap_or(End::HungUp),
        () = until(weather.clone(), |weather| age < weather.clients_cut) => {
            reset(client);
            until(weather, |weather| age < weather.servers_cut).await;
            return reset(server);
        }
    };
    if let End::Cut = end {
        reset(client);
        reset(server);
    }
}

/// Connects to the server and passes the client's first message on; its application name is in it.
async fn reach(
    client: &mut TcpStream,
    server: (String, u16),
    weather: watch::Receiver<Weather>,
) -> io::Result<(TcpStream, String)> {
    pass(&weather).await;
    let mut server = TcpStream::connect(server).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    loop {
        let length = client.read_u32().await?;
        let mut message = vec![0; usize::try_from(length.clamp(8, 10_000) - 4).unwrap_or_default()];
        client.read_exact(&mut message).await?;
        if replies::asks_for_encryption(&message) {
            client.write_all(b"N").await?;
            continue;
        }
        pass(&weather).await;
        server.write_u32(length).await?;
        server.write_all(&message).await?;
        return Ok((server, replies::application_name(&message)));
    }
}

async fn forward(
    client: &mut TcpStream,
    server: &mut TcpStream,
    weather: &watch::Receiver<Weather>,
    session: &str,
    observer: &Observer,
) -> io::Result<End> {
    let (from_client, to_client) = client.split();
    let (from_server, to_server) = server.split();
    tokio::select! {
        end = upwards(from_client, to_server, weather, observer) => end,
        end = downwards(from_server, to_client, weather, session, observer) => end,
    }
}

async fn upwards(
    mut client: ReadHalf<'_>,
    mut server: WriteHalf<'_>,
    weather: &watch::Receiver<Weather>,
    observer: &Observer,
) -> io::Result<End> {
    let mut bytes = vec![0; 16 << 10];
    loop {
        let read = client.read(&mut bytes).await?;
        pass(weather).await;
        if read == 0 {
            return Ok(End::HungUp);
        }
        throttle(weather, read).await;
        let allowed = observer.allowance(read);
        server.write_all(&bytes[..allowed]).await?;
        if allowed < read {
            return Ok(End::Cut);
        }
    }
}

async fn downwards(
    mut server: ReadHalf<'_>,
    mut client: WriteHalf<'_>,
    weather: &watch::Receiver<Weather>,
    session: &str,
    observer: &Observer,
) -> io::Result<End> {
    let mut replies = Replies::default();
    loop {
        let read = server.read_buf(replies.incoming()).await?;
        pass(weather).await;
        if read == 0 {
            return Ok(End::HungUp);
        }
        let doomed =
            observer.loss().as_ref().filter(|loss| loss.session == session).map(|loss| loss.tag.clone());
        let outgoing = replies.outgoing(doomed.as_deref());
        let completed = replies.completed();
        if completed > 0 {
            *observer.statements().entry(session.to_owned()).or_default() += completed;
        }
        match outgoing {
            Some(bytes) => {
                throttle(weather, bytes.len()).await;
                let allowed = observer.allowance(bytes.len());
                client.write_all(&bytes[..allowed]).await?;
                if allowed < bytes.len() {
                    return Ok(End::Cut);
                }
            }
            None => {
                // Nobody listens if the test has ended.
                observer.loss().take().map(|loss| loss.happened.send(()));
                return Ok(End::Cut);
            }
        }
    }
}

/// Holds something up for as long as the weather says.
async fn pass(weather: &watch::Receiver<Weather>) {
    until(weather.clone(), |weather| weather.forwards).await;
    let delay = weather.borrow().delay;
    if !delay.is_zero() {
        tokio::time::sleep(delay).await;
        until(weather.clone(), |weather| weather.forwards).await;
    }
}

/// Holds so many bytes up for as long as they may take.
async fn throttle(weather: &watch::Receiver<Weather>, bytes: usize) {
    let limit = weather.borrow().bytes_per_second;
    if let Some(bytes_per_second) = limit {
        tokio::time::sleep(Duration::from_secs(bytes as u64) / bytes_per_second).await;
    }
}

async fn until(mut weather: watch::Receiver<Weather>, wanted: impl Fn(&Weather) -> bool) {
    if weather.wait_for(|weather| wanted(weather)).await.is_err() {
        // The proxy is being dropped, and this with it.
        std::future::pending().await
    }
}

/// Closes a connection the hard way.
pub(super) fn reset(connection: TcpStream) {
    // If it cannot be set, it is gone already.
    let _ = connection.set_zero_linger();
}
