//! Everything at once: tasks of all kinds come and go while whatever they lean on is killed, and at the end nothing is
//! lost and nothing is left.
//!
//! A [`plan`] is drawn from a seed: groups of pods, and faults. Each group is a [`troupe`] on the [`stage`], each fault
//! the [`saboteur`]'s. What happens is known in two ways: the [`ledger`] has what the API server shows, and the tasks
//! themselves tell the [`stand`] what they see, which works while the API server does not.

pub mod ask;
pub mod cast;
pub mod control;
mod creation;
pub mod dice;
pub mod evidence;
pub mod facts;
pub mod fault;
pub mod group;
pub mod journal;
pub mod ledger;
pub mod loss;
pub mod outcome;
pub mod persist;
pub mod plan;
pub mod probe;
pub mod record;
pub mod role;
mod run;
pub mod saboteur;
pub mod stage;
pub mod stand;
pub mod testimony;
pub mod troupe;
pub mod verdict;
pub mod view;
mod violation;

pub use self::run::run;
