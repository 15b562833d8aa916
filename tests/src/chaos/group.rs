//! A task: pods that are made together, and what becomes of each.

use std::fmt;
use std::time::Duration;

use super::ask::{Ask, Mistake, Scope};
use super::dice::Dice;
use super::role::{Kind, Maker, Role, Tie};

/// A task: pods that are made together.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// Which one, from 0: it is in the names of all that is made for it.
    pub number: u32,
    /// When it begins.
    pub at: Duration,
    /// What it is.
    pub kind: Kind,
    /// Of which execution.
    pub execution: u32,
    /// What each of its pods asks for.
    pub asks: Vec<Ask>,
    /// What is wrong with that.
    pub mistake: Option<Mistake>,
    /// Whether its pods are not even placed before their services are ready.
    pub gated: bool,
    /// Its pods.
    pub members: Vec<Member>,
}

/// A pod of a group.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Member {
    /// What it is to the others.
    pub role: Role,
    /// How long after the group's beginning it is made.
    pub delay: Duration,
    /// How long its task works.
    pub life: Duration,
    /// What becomes of it.
    pub ending: Ending,
    /// Whether its task ends at SIGTERM.
    pub obeys: bool,
}

/// What becomes of a pod.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Ending {
    /// It is deleted so long after its creation, with so many seconds of grace.
    Deleted {
        /// After its creation.
        after: Duration,
        /// Its grace, in seconds.
        grace: u32,
    },
    /// Its task exits with 1.
    Fails,
    /// It is deleted without any grace.
    Forced {
        /// After its creation.
        after: Duration,
    },
    /// Its task exits with 1 once, and is run again in the same pod.
    Restarts,
    /// Its task exits with 0.
    Succeeds,
}

// === impl Group ===

impl Group {
    /// Draws the group with this number, which begins at `at` in `execution`.
    pub(super) fn draw(dice: &mut Dice, number: u32, at: Duration, execution: u32) -> Self {
        let kind = dice.weighed(Kind::WEIGHTS).unwrap_or(Kind::Plain);
        let mut asks = Ask::draw(dice, kind, number, execution);
        let mistake = mistake(dice, kind);
        if mistake == Some(Mistake::Image) {
            asks.truncate(1);
            asks = asks
                .into_iter()
                .map(|ask| Ask { name: format!("missing-{number}"), has_image: false, ..ask })
                .collect();
        }
        let members = kind.roles().into_iter().enumerate();
        let members = members.map(|(index, role)| Member::draw(dice, kind, role, index)).collect();
        Self { number, at, kind, execution, asks, mistake, gated: dice.is_one_in(5), members }
    }

    /// How many pods there are because of it, servers included, at most.
    #[must_use]
    pub fn weight(&self) -> u32 {
        let pods = u32::try_from(self.members.len()).unwrap_or(u32::MAX);
        let servers = self.asks.iter().map(|ask| match ask.scope {
            Scope::Task if !self.kind.is_job() => ask.replicas * pods,
            Scope::Task | Scope::Execution | Scope::Namespace => ask.replicas,
        });
        pods + servers.sum::<u32>()
    }

    /// How long its tasks work.
    #[must_use]
    pub fn lasts(&self) -> Duration {
        let lives = self.members.iter().filter(|member| member.role.tie != Tie::Follows);
        lives.map(|member| member.delay + member.life).max().unwrap_or_default()
    }
}

/// One line: what there is to know when it is looked for in a log.
impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "e{}-n{} {:?}", self.execution, self.number, self.kind)?;
        for ask in &self.asks {
            write!(f, ", {:?} {} x{}", ask.scope, ask.name, ask.replicas)?;
        }
        if self.gated {
            f.write_str(", gated")?;
        }
        if let Some(mistake) = self.mistake {
            write!(f, ", mistake: {mistake:?}")?;
        }
        for member in &self.members {
            write!(f, "; {} {:?} {:?}", member.role.fixture, member.life, member.ending)?;
        }
        Ok(())
    }
}

fn mistake(dice: &mut Dice, kind: Kind) -> Option<Mistake> {
    match kind {
        Kind::Plain => {
            dice.weighed(&[(8, None), (1, Some(Mistake::Annotation)), (1, Some(Mistake::Image))])?
        }
        Kind::Rivals => Some(Mistake::Rivalry),
        _ => None,
    }
}

// === impl Member ===

impl Member {
    fn draw(dice: &mut Dice, kind: Kind, role: Role, index: usize) -> Self {
        let life = dice.between(SHORTEST_LIFE, LONGEST_LIFE);
        let ending = Ending::draw(dice, kind, role, life);
        let is_second_rival = kind == Kind::Rivals && index > 0;
        Self {
            role,
            delay: if is_second_rival { Duration::from_secs(4) } else { Duration::ZERO },
            life: if role.tie == Tie::Follows { UNTIL_DELETED } else { life },
            ending,
            obeys: dice.is_one_in(2),
        }
    }
}

// === impl Ending ===

impl Ending {
    fn draw(dice: &mut Dice, kind: Kind, role: Role, life: Duration) -> Self {
        let after = dice.between(Duration::from_secs(1), life + Duration::from_secs(5));
        let deleted = Self::Deleted { after, grace: u32::try_from(1 + dice.below(8)).unwrap_or(1) };
        let forced = Self::Forced { after };
        let choices: &[(u64, Self)] = match (kind, role.tie, role.maker) {
            (_, Tie::Follows, _) => &[(9, Self::Succeeds), (1, forced)],
            (_, _, Maker::Job) => &[(7, Self::Succeeds), (2, Self::Fails), (1, deleted)],
            (Kind::Plain, ..) => {
                &[(5, Self::Succeeds), (1, Self::Fails), (2, Self::Restarts), (2, deleted), (1, forced)]
            }
            _ => &[(6, Self::Succeeds), (2, Self::Fails), (2, deleted), (1, forced)],
        };
        dice.weighed(choices).unwrap_or(Self::Succeeds)
    }
}

const SHORTEST_LIFE: Duration = Duration::from_secs(3);
const LONGEST_LIFE: Duration = Duration::from_secs(40);
/// Longer than any run.
const UNTIL_DELETED: Duration = Duration::from_hours(2);
