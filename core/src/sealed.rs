//! A value that is kept as the JSON it travels in until somebody needs it.
//!
//! Thousands of pods and objects are known at a time, and what they are made from is looked at once: as text it takes
//! a tenth of its maps.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

/// A `T` in JSON: checked when it is read, opened when it is needed. Two are equal when their texts are.
pub struct Sealed<T> {
    json: Box<str>,
    of: PhantomData<fn() -> T>,
}

// === impl Sealed ===

impl<T: Serialize + DeserializeOwned> Sealed<T> {
    /// Seals a value.
    #[must_use]
    pub fn new(value: &T) -> Self {
        // Strings, numbers and maps with string keys: nothing here can fail.
        Self { json: serde_json::to_string(value).unwrap_or_default().into(), of: PhantomData }
    }

    /// The value.
    ///
    /// # Panics
    ///
    /// Never: what is sealed was a `T`, and what was read was tried.
    #[must_use]
    pub fn open(&self) -> T {
        serde_json::from_str(&self.json).expect("what was sealed or checked must open")
    }
}

impl<T> Serialize for Sealed<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let json: &RawValue = serde_json::from_str(&self.json).map_err(serde::ser::Error::custom)?;
        json.serialize(serializer)
    }
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Sealed<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let json = Box::<RawValue>::deserialize(deserializer)?;
        serde_json::from_str::<T>(json.get()).map_err(D::Error::custom)?;
        Ok(Self { json: json.into(), of: PhantomData })
    }
}

impl<T> Clone for Sealed<T> {
    fn clone(&self) -> Self {
        Self { json: self.json.clone(), of: PhantomData }
    }
}

impl<T> fmt::Debug for Sealed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.json)
    }
}

impl<T> PartialEq for Sealed<T> {
    fn eq(&self, other: &Self) -> bool {
        self.json == other.json
    }
}

impl<T> Eq for Sealed<T> {}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    type Map = BTreeMap<String, u32>;

    #[test]
    fn what_is_sealed_travels_as_it_is_and_opens() {
        let map = Map::from([("a".to_owned(), 1)]);
        let sealed = Sealed::new(&map);
        assert_eq!(serde_json::to_string(&sealed).unwrap(), r#"{"a":1}"#);
        assert_eq!(serde_json::from_str::<Sealed<Map>>(r#"{"a":1}"#).unwrap(), sealed);
        assert_eq!(sealed.open(), map);
    }

    #[test]
    fn what_would_not_open_is_refused_when_it_is_read() {
        assert!(serde_json::from_str::<Sealed<Map>>(r#"{"a":"b"}"#).is_err());
        assert!(serde_json::from_value::<Sealed<Map>>(serde_json::json!([1])).is_err());
    }
}
