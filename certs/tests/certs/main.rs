//! Certificates over real sockets, and the Secret and the bundle against the API server's half.
#![forbid(unsafe_code)]

#[cfg(test)]
mod fixture;
#[cfg(test)]
mod handshake;
#[cfg(test)]
mod log;
#[cfg(test)]
mod publish;
#[cfg(test)]
mod race;
#[cfg(test)]
mod scenario;
#[cfg(test)]
mod secret;
