//! Where tasks tell what they see: a socket, because it works while the API server and the kubelet do not.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};
use jiff::Timestamp;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::testimony::Testimony;

/// Takes down what tasks tell.
#[derive(Clone)]
pub struct Stand {
    /// Where they find it.
    pub address: SocketAddr,
    testimonies: Arc<Mutex<Vec<Testimony>>>,
}

// === impl Stand ===

impl Stand {
    /// Listens on an address that pods can reach.
    pub async fn open(address: IpAddr) -> Result<Self> {
        let listener = TcpListener::bind((address, 0)).await;
        let listener = listener.with_context(|| format!("failed to listen on {address}, for tasks"))?;
        let stand = Self { address: listener.local_addr()?, testimonies: Arc::default() };
        let listening = stand.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let listening = listening.clone();
                tokio::spawn(async move { listening.hear(stream).await });
            }
        });
        Ok(stand)
    }

    /// All that was told so far.
    #[must_use]
    pub fn testimonies(&self) -> Vec<Testimony> {
        self.with(|testimonies| testimonies.clone())
    }

    /// What one task tells, to its end.
    async fn hear(&self, stream: TcpStream) -> Option<()> {
        let (reader, mut writer) = stream.into_split();
        let mut lines = BufReader::new(reader).lines();
        let testimony = Testimony::of_hello(&lines.next_line().await.ok()??)?;
        let (index, attempt) = self.with(|testimonies| {
            let attempt = testimonies.iter().filter(|other| other.pod == testimony.pod).count() + 1;
            testimonies.push(testimony);
            (testimonies.len() - 1, attempt)
        });
        writer.write_all(format!("{attempt}\n").as_bytes()).await.ok()?;
        while let Ok(Some(line)) = lines.next_line().await {
            self.at(index, |testimony| testimony.note(&line));
        }
        self.at(index, |testimony| testimony.ended_at = Some(Timestamp::now()));
        Some(())
    }

    fn at(&self, index: usize, change: impl FnOnce(&mut Testimony)) {
        self.with(|testimonies| testimonies.get_mut(index).map(change));
    }

    fn with<T>(&self, work: impl FnOnce(&mut Vec<Testimony>) -> T) -> T {
        work(&mut self.testimonies.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
