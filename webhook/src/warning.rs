//! Warnings in the form that reaches the user.
//!
//! The API server takes 4,096 characters of warnings per request; beyond, it cuts each to 256 and drops the rest.
//! It drops a warning with a control character altogether.

/// `warnings`, so that each arrives, with its beginning.
pub(crate) fn fit(warnings: &[String]) -> Vec<String> {
    if warnings.len() <= MOST {
        return warnings.iter().map(|warning| shorten(warning)).collect();
    }
    let shown = warnings.iter().take(MOST - 1).map(|warning| shorten(warning));
    let rest = format!("{PREFIX}{} more warnings are not shown", warnings.len() - (MOST - 1));
    shown.chain([rest]).collect()
}

fn shorten(warning: &str) -> String {
    let mut chars =
        PREFIX.chars().chain(warning.chars()).map(|char| if char.is_control() { ' ' } else { char });
    let mut shown: String = chars.by_ref().take(MOST_CHARS - 1).collect();
    match (chars.next(), chars.next()) {
        (None, _) => {}
        (Some(last), None) => shown.push(last),
        (Some(_), Some(_)) => shown.push('…'),
    }
    shown
}

/// Who warns: the API server does not say.
const PREFIX: &str = "flyte-dataservice: ";
/// Characters of one.
const MOST_CHARS: usize = 256;
/// As many of them as make 4,096.
const MOST: usize = 4096 / MOST_CHARS;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_warning_keeps_its_beginning() {
        let fitted = fit(&["é".repeat(1000), "short".to_owned()]);
        assert!(fitted[0].starts_with("flyte-dataservice: ééé"));
        assert!(fitted[0].ends_with("é…"));
        assert_eq!(fitted[0].chars().count(), 256);
        assert_eq!(fitted[1], "flyte-dataservice: short");
    }

    #[test]
    fn a_warning_that_just_fits_is_whole() {
        let exact = "x".repeat(256 - PREFIX.len());
        assert_eq!(fit(std::slice::from_ref(&exact)), [format!("{PREFIX}{exact}")]);
    }

    #[test]
    fn a_warning_with_a_line_break_is_not_lost() {
        assert_eq!(fit(&["one\ntwo\u{7f}".to_owned()]), ["flyte-dataservice: one two "]);
    }

    #[test]
    fn many_warnings_end_with_their_number() {
        let fitted = fit(&vec!["x".repeat(500); 40]);
        assert_eq!(fitted.len(), 16);
        assert_eq!(fitted[15], "flyte-dataservice: 25 more warnings are not shown");
        assert!(fitted.iter().map(|warning| warning.chars().count()).sum::<usize>() <= 4096);
    }
}
