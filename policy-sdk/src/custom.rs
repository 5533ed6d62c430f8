//! The settings that an administrator gives to a policy.

use std::str::FromStr;

/// A policy's own settings: what the site's or the server's administrator wrote, each key once.
///
/// A policy takes what it knows; what is left is refused by name. A setting without effect could be one that somebody
/// relies on, such as what to redact.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Custom(Vec<(String, String)>);

impl Custom {
    /// These keys with their values.
    pub fn new(settings: Vec<(String, String)>) -> Self {
        Self(settings)
    }

    /// The value of this key, if it was set.
    pub fn take(&mut self, key: &str) -> Option<String> {
        let at = self.0.iter().position(|(found, _)| found == key)?;
        Some(self.0.remove(at).1)
    }

    /// The value of this key as a number or the like; an error says the key, the value, and `what` it has to be.
    pub fn parsed<T: FromStr>(&mut self, key: &str, what: &str) -> Result<Option<T>, String> {
        match self.take(key) {
            None => Ok(None),
            Some(value) => match value.parse() {
                Ok(parsed) => Ok(Some(parsed)),
                Err(_) => Err(["the setting `", key, "` is \"", &value, "\", and has to be ", what].concat()),
            },
        }
    }

    /// All keys with this beginning, such as `pattern.`, without the beginning, in the order of the configuration.
    pub fn take_all(&mut self, beginning: &str) -> Vec<(String, String)> {
        let mut taken = Vec::new();
        for (key, value) in std::mem::take(&mut self.0) {
            match key.strip_prefix(beginning) {
                Some(rest) => taken.push((rest.to_owned(), value)),
                None => self.0.push((key, value)),
            }
        }
        taken
    }

    /// Refuses what is left. Who starts the policy calls it after the policy has taken what it knows.
    pub fn done(self) -> Result<(), String> {
        match self.0.first() {
            None => Ok(()),
            Some((key, _)) => {
                Err(["this policy has no setting `", key, "`; remove it, or load the policy that it is for"].concat())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn custom(settings: &[(&str, &str)]) -> Custom {
        Custom::new(settings.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect())
    }

    #[test]
    fn a_setting_that_nobody_took_is_refused_by_name() {
        let mut settings = custom(&[("a", "1"), ("b", "2")]);
        assert_eq!(settings.take("a").as_deref(), Some("1"));
        assert!(settings.done().unwrap_err().contains("no setting `b`"));
        assert_eq!(custom(&[]).done(), Ok(()));
    }

    #[test]
    fn a_value_that_cant_be_read_is_shown_with_what_it_has_to_be() {
        let words = custom(&[("rate", "fast")]).parsed::<u64>("rate", "bytes a second").unwrap_err();
        assert_eq!(words, "the setting `rate` is \"fast\", and has to be bytes a second");
    }

    #[test]
    fn settings_of_one_beginning_are_taken_in_their_order() {
        let mut settings = custom(&[("p.b", "1"), ("x", "2"), ("p.a", "3")]);
        assert_eq!(settings.take_all("p."), [("b".into(), "1".into()), ("a".into(), "3".into())]);
        assert_eq!(settings, custom(&[("x", "2")]));
    }
}
