//! Records as small numbers, so that states are cheap to copy, to compare and to hash.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, RwLock};

use dataservice_core::record::Record;

/// A record that was written on an object: equal records have equal numbers, in this process.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct Note(u16);

/// All that were ever written.
#[derive(Default)]
struct Notes {
    records: Vec<&'static Arc<Record>>,
    numbers: HashMap<String, u16>,
}

// === impl Note ===

impl Note {
    pub(crate) fn of(record: &Record) -> Self {
        let text = record.to_text();
        let notes = &mut NOTES.write().unwrap();
        let Notes { records, numbers } = notes.get_or_insert_default();
        let number = *numbers.entry(text).or_insert_with(|| {
            // There are hundreds of them; they stay.
            records.push(Box::leak(Box::new(Arc::new(record.clone()))));
            u16::try_from(records.len() - 1).unwrap()
        });
        Self(number)
    }

    pub(crate) fn record(self) -> &'static Arc<Record> {
        NOTES.read().unwrap().as_ref().unwrap().records[usize::from(self.0)]
    }
}

impl fmt::Debug for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let record = self.record();
        write!(f, "{} {}", record.key, record.instance.as_str().get(..4).unwrap_or_default())?;
        if let Some(since) = record.idle_since {
            write!(f, " idle since {since}")?;
        }
        if let Some(until) = record.retain_until {
            write!(f, " retained until {until}")?;
        }
        f.write_str(if record.closing { " closing" } else { "" })
    }
}

static NOTES: RwLock<Option<Notes>> = RwLock::new(None);
