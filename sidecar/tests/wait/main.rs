//! The gate as the kubelet runs it: the real binary over real sockets. The lifecycle API's half, the name server's and
//! the servers' are played here.
#![forbid(unsafe_code)]

#[cfg(test)]
mod api;
#[cfg(test)]
mod bound;
#[cfg(test)]
mod deadline;
#[cfg(test)]
mod directory;
#[cfg(test)]
mod failure;
#[cfg(test)]
mod gate;
#[cfg(test)]
mod list;
#[cfg(test)]
mod mistake;
#[cfg(test)]
mod name_server;
#[cfg(test)]
mod open;
#[cfg(test)]
mod server;
#[cfg(test)]
mod stream;
#[cfg(test)]
mod unreachable;
