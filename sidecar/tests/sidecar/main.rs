//! The real binary over real sockets: the lifecycle API's half and the name server's are played here.
//!
//! Whatever happens, [`sidecar::Sidecar::ends`] asserts what every task relies on: exit 0, in time, and not a word
//! of the token in the log.
#![forbid(unsafe_code)]

#[cfg(test)]
mod api;
#[cfg(test)]
mod command_line;
#[cfg(test)]
mod directory;
#[cfg(test)]
mod identity;
#[cfg(test)]
mod name_server;
#[cfg(test)]
mod release_answer;
#[cfg(test)]
mod release_connection;
#[cfg(test)]
mod release_name;
#[cfg(test)]
mod release_signal;
#[cfg(test)]
mod release_token;
#[cfg(test)]
mod run_idle;
#[cfg(test)]
mod run_log;
#[cfg(test)]
mod run_mistake;
#[cfg(test)]
mod sidecar;
