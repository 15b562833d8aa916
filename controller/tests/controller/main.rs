//! What is known, without a runtime; and what is done, against the API server's half.
#![forbid(unsafe_code)]

#[cfg(test)]
mod apply_attach;
#[cfg(test)]
mod apply_confirm;
#[cfg(test)]
mod apply_create;
#[cfg(test)]
mod apply_delete;
#[cfg(test)]
mod apply_event;
#[cfg(test)]
mod apply_leader;
#[cfg(test)]
mod apply_template;
#[cfg(test)]
mod fixture;
#[cfg(test)]
mod index_object;
#[cfg(test)]
mod index_pod;
#[cfg(test)]
mod scenario;
