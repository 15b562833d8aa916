//! The forms in which a field may be written: text in an annotation, or JSON inside `services`.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::problem::quote;

/// A field's value as its user wrote it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Written<'a> {
    /// An annotation's value: plain text, shorthand, or JSON.
    Text(&'a str),
    /// A member of a JSON object inside `services` that is not a string.
    Json(&'a Value),
}

// === impl Written ===

impl<'a> From<&'a Value> for Written<'a> {
    fn from(value: &'a Value) -> Self {
        value.as_str().map_or(Self::Json(value), Self::Text)
    }
}

impl<'a> Written<'a> {
    /// What was found, for a message.
    pub(crate) fn quoted(self) -> String {
        match self {
            Self::Text(text) => quote(text),
            Self::Json(value) => {
                let quoted = quote(&value.to_string());
                if quoted.contains('\\') { quoted } else { quoted.trim_matches('"').to_owned() }
            }
        }
    }

    /// A plain string.
    pub(crate) fn text(self) -> Result<&'a str, String> {
        match self {
            Self::Text(text) if text.trim().is_empty() => {
                Err("is empty; leave it out, or give it a value".to_owned())
            }
            Self::Text(text) => Ok(text.trim()),
            Self::Json(_) => Err(format!("{} is not a string", self.quoted())),
        }
    }

    /// A whole number between `low` and `high`. JSON floats without a fraction count (`1234.0`: a protobuf Struct,
    /// in which flytekit's `DataServiceConfig` travels, has no other numbers).
    pub(crate) fn integer(self, low: u32, high: u32) -> Result<u32, String> {
        let number = match self {
            Self::Text(text) => text.trim().parse().ok(),
            Self::Json(value) => value.as_i64().or_else(|| whole(value.as_f64()?)),
        };
        let Some(number) = number else {
            return Err(format!("{} is not a whole number; allowed: {low} to {high}", self.quoted()));
        };
        u32::try_from(number)
            .ok()
            .filter(|n| (low..=high).contains(n))
            .ok_or_else(|| format!("{number} is out of range; allowed: {low} to {high}"))
    }

    /// A list of strings: a JSON list, or one line split as a shell would.
    pub(crate) fn words(self) -> Result<Vec<String>, String> {
        match self {
            Self::Text(text) if !text.trim_start().starts_with('[') => shlex::split(text).ok_or_else(|| {
                format!(
                    "{} has a quote that is not closed; write a line as for a shell, or a JSON list",
                    quote(text)
                )
            }),
            Self::Text(text) => strings(&json(text)?),
            Self::Json(value) => strings(value),
        }
    }

    /// Pairs: a JSON object, or the shorthand `k=v,k2=v2`. Numbers and booleans count as their text.
    pub(crate) fn pairs(self) -> Result<BTreeMap<String, String>, String> {
        match self {
            Self::Text(text) if !text.trim_start().starts_with('{') => shorthand(text),
            Self::Text(text) => object(&json(text)?),
            Self::Json(value) => object(value),
        }
    }
}

/// Parses JSON out of an annotation; the message says where it breaks.
pub(crate) fn json(text: &str) -> Result<Value, String> {
    serde_json::from_str(text).map_err(|error| {
        if error.to_string().starts_with("recursion limit") {
            "is nested too deeply; allowed: 127 levels".to_owned()
        } else {
            format!("{} is not JSON: {error}", quote(text))
        }
    })
}

fn strings(value: &Value) -> Result<Vec<String>, String> {
    let list = value.as_array().ok_or_else(|| {
        format!("{} is not a list of strings; allowed: [\"a\", \"b\"]", Written::from(value).quoted())
    })?;
    list.iter()
        .map(|item| {
            scalar(item)
                .ok_or_else(|| format!("{} in the list is not a string", Written::from(item).quoted()))
        })
        .collect()
}

fn shorthand(text: &str) -> Result<BTreeMap<String, String>, String> {
    let mut pairs = BTreeMap::new();
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let (key, value) = part.split_once('=').ok_or_else(|| {
            format!("{} is not of the form key=value; allowed: k=v,k2=v2 or a JSON object", quote(part))
        })?;
        if pairs.insert(key.trim().to_owned(), value.trim().to_owned()).is_some() {
            return Err(format!("{} is given twice", quote(key.trim())));
        }
    }
    Ok(pairs)
}

fn object(value: &Value) -> Result<BTreeMap<String, String>, String> {
    let object =
        value.as_object().ok_or_else(|| format!("{} is not a JSON object", Written::from(value).quoted()))?;
    object
        .iter()
        .filter(|(_, value)| !value.is_null())
        .map(|(key, value)| {
            let text = scalar(value).ok_or_else(|| {
                format!(
                    "the value of {} is {}; allowed: a string, a number, true or false",
                    quote(key),
                    Written::from(value).quoted()
                )
            })?;
            Ok((key.clone(), text))
        })
        .collect()
}

/// A scalar as text; `1234.0` is `1234`.
fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(value) => Some(value.to_string()),
        Value::Number(number) => {
            let number = number
                .as_f64()
                .filter(|_| number.is_f64())
                .and_then(|n| whole(Some(n)?))
                .map_or_else(|| number.to_string(), |whole| whole.to_string());
            Some(number)
        }
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// A float without a fraction, within the whole numbers that a float holds exactly.
fn whole(number: f64) -> Option<i64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    #[allow(clippy::cast_possible_truncation, reason = "within the range in which a float is a whole number")]
    (number.fract() == 0.0 && number.abs() <= EXACT).then_some(number as i64)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn whole_numbers_come_in_every_form_that_flytekit_writes() {
        assert_eq!(Written::Text(" 4 ").integer(1, 9), Ok(4));
        assert_eq!(Written::from(&json!(4)).integer(1, 9), Ok(4));
        assert_eq!(Written::from(&json!(4.0)).integer(1, 9), Ok(4));
        assert_eq!(Written::from(&json!("4")).integer(1, 9), Ok(4));
    }

    #[test]
    fn a_number_out_of_place_says_what_is_allowed() {
        let refused = |written: Written<'_>| written.integer(1, 9).unwrap_err();
        assert_eq!(refused(Written::Text("many")), r#""many" is not a whole number; allowed: 1 to 9"#);
        assert_eq!(refused(Written::from(&json!(1.5))), "1.5 is not a whole number; allowed: 1 to 9");
        assert_eq!(refused(Written::from(&json!([1]))), "[1] is not a whole number; allowed: 1 to 9");
        assert_eq!(refused(Written::Text("-1")), "-1 is out of range; allowed: 1 to 9");
        assert_eq!(refused(Written::Text("99999999999")), "99999999999 is out of range; allowed: 1 to 9");
    }

    #[test]
    fn words_are_a_json_list_or_a_shell_line() {
        let serve = vec!["serve".to_owned(), "a b".to_owned()];
        assert_eq!(Written::Text(r#"["serve","a b"]"#).words(), Ok(serve.clone()));
        assert_eq!(Written::Text("serve 'a b'").words(), Ok(serve.clone()));
        assert_eq!(Written::from(&json!(["serve", "a b"])).words(), Ok(serve));
        assert_eq!(
            Written::Text("serve 'a b").words().unwrap_err(),
            r#""serve 'a b" has a quote that is not closed; write a line as for a shell, or a JSON list"#
        );
        assert_eq!(Written::Text(r#"["serve", {}]"#).words().unwrap_err(), "{} in the list is not a string");
    }

    #[test]
    fn pairs_are_a_json_object_or_shorthand() {
        let pairs =
            BTreeMap::from([("cpu".to_owned(), "2".to_owned()), ("mem".to_owned(), "10Gi".to_owned())]);
        assert_eq!(Written::Text("cpu=2, mem=10Gi").pairs(), Ok(pairs.clone()));
        assert_eq!(Written::Text(r#"{"cpu": 2.0, "mem": "10Gi", "gpu": null}"#).pairs(), Ok(pairs.clone()));
        assert_eq!(Written::from(&json!({"cpu": 2, "mem": "10Gi"})).pairs(), Ok(pairs));
        assert_eq!(
            Written::Text("cpu:2").pairs().unwrap_err(),
            r#""cpu:2" is not of the form key=value; allowed: k=v,k2=v2 or a JSON object"#
        );
        assert_eq!(Written::Text("cpu=2,cpu=3").pairs().unwrap_err(), r#""cpu" is given twice"#);
    }

    #[test]
    fn deep_nesting_is_refused() {
        let deep = format!("{}{}", "[".repeat(5_000), "]".repeat(5_000));
        assert_eq!(json(&deep).unwrap_err(), "is nested too deeply; allowed: 127 levels");
    }
}
