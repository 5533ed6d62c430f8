//! Declares streamers in a job's `config_fed_client.json`, and removes them.

use std::ops::Range;

use serde::Serialize;
use serde_json::ser::PrettyFormatter;

use super::layout::{Components, Element, Layout};
use super::streamer::{Component, Streamer, Whose, free_id, recognised};

/// The text of a job's client configuration.
#[derive(Debug)]
pub struct JobConfig {
    text: String,
    layout: Layout,
}

impl JobConfig {
    /// Reads a text.
    ///
    /// # Errors
    ///
    /// It is not a JSON object with a list of components, in words.
    pub fn new(text: String) -> Result<Self, String> {
        let layout = Layout::of(&text)?;
        Ok(Self { text, layout })
    }

    /// The text as it is now.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whose streamers of this log the job declares: fedtail's or FLARE's own.
    pub fn streamers_of<'a>(&'a self, log: &'a str) -> impl Iterator<Item = Whose> + 'a {
        let recognised = self.elements().iter().filter_map(|element| recognised(&element.value));
        recognised.filter(move |(_, streamed)| *streamed == log).map(|(whose, _)| whose)
    }

    /// Declares a streamer, unless one of the same log is there. Says whether it did.
    pub fn declare(&mut self, streamer: &Streamer) -> bool {
        if self.streamers_of(&streamer.log).next().is_some() {
            return false;
        }
        let component = streamer.component(free_id(self.elements().iter().map(|element| &element.value)));
        let (place, text) = match (&self.layout.components, self.elements().last()) {
            (_, Some(last)) => (last.place.end..last.place.end, self.after(last, &component)),
            (Some(components), None) => (components.place.clone(), self.list(&component)),
            (None, None) => self.member(&component),
        };
        self.splice(place, &text);
        true
    }

    /// Removes the streamers that are chosen by whose they are and their log. Says how many.
    pub fn remove(&mut self, chosen: impl Fn(Whose, &str) -> bool) -> usize {
        let mut removed = 0;
        while let Some(place) = self.layout.components.as_ref().and_then(|components| {
            let is_chosen =
                |element: &Element| recognised(&element.value).is_some_and(|(whose, log)| chosen(whose, log));
            let at = components.elements.iter().position(is_chosen)?;
            Some(with_comma(components, at))
        }) {
            self.splice(place, "");
            removed += 1;
        }
        removed
    }

    fn elements(&self) -> &[Element] {
        self.layout.components.as_ref().map_or(&[], |components| &components.elements)
    }

    /// A further element behind the last one, in a line of its own where that has one.
    fn after(&self, last: &Element, component: &Component<'_>) -> String {
        match self.indent(last.place.start) {
            Some(indent) => format!(",{}{indent}{}", self.line_end(), self.pretty(component, indent)),
            None => format!(", {}", one_line(component)),
        }
    }

    /// A list with one element.
    fn list(&self, component: &Component<'_>) -> String {
        match self.layout.members.as_ref().and_then(|members| self.indent(members.start)) {
            Some(indent) => {
                let (end, inner) = (self.line_end(), format!("{indent}{}", self.step()));
                format!("[{end}{inner}{}{end}{indent}]", self.pretty(component, &inner))
            }
            None => format!("[{}]", one_line(component)),
        }
    }

    /// The member that is missing, and its place.
    fn member(&self, component: &Component<'_>) -> (Range<usize>, String) {
        let list = self.list(component);
        match &self.layout.members {
            Some(members) => {
                let before = match self.indent(members.start) {
                    Some(indent) => format!(",{}{indent}", self.line_end()),
                    None => ", ".into(),
                };
                (members.end..members.end, format!("{before}\"components\": {list}"))
            }
            None => (self.layout.inside..self.layout.inside, format!("\"components\": {list}")),
        }
    }

    /// What stands before this place in its line, if that is only space. In the first line nothing is indented.
    fn indent(&self, at: usize) -> Option<&str> {
        let line = self.text[..at].rfind('\n')? + 1;
        let before = &self.text[line..at];
        before.bytes().all(|byte| byte == b' ' || byte == b'\t').then_some(before)
    }

    /// One step of indentation: that of the outermost object's members.
    fn step(&self) -> &str {
        let members = self.layout.members.as_ref().and_then(|members| self.indent(members.start));
        members.filter(|step| !step.is_empty()).unwrap_or("  ")
    }

    fn line_end(&self) -> &'static str {
        if self.text.contains("\r\n") { "\r\n" } else { "\n" }
    }

    /// A component over several lines, all but the first of which begin with `indent`.
    fn pretty(&self, component: &Component<'_>, indent: &str) -> String {
        let mut bytes = Vec::new();
        let formatter = PrettyFormatter::with_indent(self.step().as_bytes());
        let written = component.serialize(&mut serde_json::Serializer::with_formatter(&mut bytes, formatter));
        written.expect("a component can be written to memory");
        String::from_utf8(bytes).expect("JSON is UTF-8").replace('\n', &format!("{}{indent}", self.line_end()))
    }

    fn splice(&mut self, place: Range<usize>, text: &str) {
        self.text.replace_range(place, text);
        self.layout = Layout::of(&self.text).expect("an edit of JSON is JSON");
    }
}

fn one_line(component: &Component<'_>) -> String {
    serde_json::to_string(component).expect("a component can be written to memory")
}

/// The place of an element and the comma before it; of the first the one behind it, and of the only one all that the list has.
fn with_comma(components: &Components, at: usize) -> Range<usize> {
    let elements = &components.elements;
    match (at.checked_sub(1), elements.get(at + 1)) {
        (Some(before), _) => elements[before].place.end..elements[at].place.end,
        (None, Some(next)) => elements[at].place.start..next.place.start,
        (None, None) => components.place.start + 1..components.place.end - 1,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const BY_HAND: &str = r#"{
   "format_version": 2,
   "weight": 1.50e2,  "executors": [ {"tasks": ["train"]} ],
   "components": [
      { "id": "a", "path": "some.Thing",
        "args": {"x": 1} }
   ],
   "z": "\u00e4", "empty": [ ]
}
"#;

    fn config(text: &str) -> JobConfig {
        JobConfig::new(text.into()).unwrap()
    }

    fn of(log: &str) -> Streamer {
        Streamer { log: log.into(), ..Streamer::default() }
    }

    fn components(config: &JobConfig) -> Value {
        serde_json::from_str::<Value>(config.text()).unwrap()["components"].clone()
    }

    /// Order of keys, indentation, the way that numbers and letters are written, the last line feed: all as before.
    #[test]
    fn a_streamer_is_added_and_every_other_byte_stays() {
        let mut config = config(BY_HAND);
        let arguments = [("liveness_interval", json!(5.0))].into();
        assert!(config.declare(&Streamer { log: "error_log.txt".into(), arguments }));
        let added = r#",
      {
         "id": "job_log_streamer",
         "path": "fedtail.flare.JobLogStreamer",
         "args": {
            "liveness_interval": 5.0,
            "log_file_name": "error_log.txt"
         }
      }"#;
        let (before, after) = BY_HAND.split_at(BY_HAND.find("\n   ],").unwrap());
        assert_eq!(config.text(), format!("{before}{added}{after}"));
    }

    #[test]
    fn declaring_again_changes_nothing() {
        let mut config = config(BY_HAND);
        assert!(config.declare(&of("log.txt")));
        let once = config.text().to_owned();
        assert!(!config.declare(&of("log.txt")));
        assert_eq!(config.text(), once);
    }

    /// Each log has a component and an id of its own, and the way back leads to the same bytes.
    #[test]
    fn several_logs_have_a_component_each_and_removing_them_restores_the_file() {
        for text in [
            BY_HAND,
            r#"{"components": [{"id": "a", "path": "x.Y"}]}"#,
            "{\n\t\"components\": []\n}",
            "{\"components\":[]}",
        ] {
            let mut config = config(text);
            for log in ["log.txt", "error_log.txt", "metrics.csv"] {
                assert!(config.declare(&of(log)), "{text}");
            }
            let ids: Vec<_> = components(&config).as_array().unwrap().iter().map(|c| c["id"].clone()).collect();
            assert!(ids.ends_with(&[
                json!("job_log_streamer"),
                json!("job_log_streamer_2"),
                json!("job_log_streamer_3")
            ]));
            assert_eq!(config.remove(|_, _| true), 3);
            assert_eq!(config.text(), text);
        }
    }

    #[test]
    fn an_id_that_is_taken_is_not_given_again() {
        let mut config = config(r#"{"components": [{"id": "job_log_streamer", "path": "x.Y"}]}"#);
        assert!(config.declare(&of("log.txt")));
        assert_eq!(components(&config)[1]["id"], "job_log_streamer_2");
    }

    /// FLARE's own too, in each way to name it; another log still gets its own.
    #[test]
    fn a_declared_streamer_of_the_same_log_is_enough() {
        let flares = "nvflare.app_common.logging.job_log_streamer.JobLogStreamer";
        for declared in [
            json!({ "path": flares }),
            json!({ "class_path": flares }),
            json!({ "name": "JobLogStreamer" }),
            json!({ "path": flares, "args": { "log_file_name": "log.txt" } }),
            json!({ "path": "fedtail.flare.JobLogStreamer", "args": {} }),
            json!({ "path": "fedtail.flare.job_log_streamer.JobLogStreamer" }),
        ] {
            let mut config = config(&json!({ "components": [declared] }).to_string());
            assert!(!config.declare(&of("log.txt")), "{}", config.text());
            assert!(config.declare(&of("error_log.txt")));
            assert_eq!(config.remove(|_, _| true), 2);
            assert_eq!(config.text(), r#"{"components":[]}"#);
        }
    }

    #[test]
    fn what_only_looks_like_a_streamer_is_none_and_stays() {
        let text = json!({ "components": [
            { "path": "their.OtherJobLogStreamer" },
            { "name": "JobLogStreamer", "disabled": true },
            { "path": "", "name": "JobLogStreamer" },
            "JobLogStreamer",
        ] })
        .to_string();
        let mut config = config(&text);
        assert_eq!(config.remove(|_, _| true), 0);
        assert!(config.declare(&of("log.txt")));
        assert_eq!(config.remove(|_, _| true), 1);
        assert_eq!(config.text(), text);
    }

    #[test]
    fn removing_can_be_for_one_owner_and_one_log() {
        let text = r#"{"components": [{"name": "JobLogStreamer"}, {"id": "a", "path": "x.Y"}]}"#;
        let mut config = config(text);
        config.declare(&of("error_log.txt"));
        config.declare(&of("log_fl.txt"));
        assert_eq!(config.remove(|whose, log| whose == Whose::Ours && log == "error_log.txt"), 1);
        assert_eq!((config.streamers_of("error_log.txt").count(), config.streamers_of("log_fl.txt").count()), (0, 1));
        assert_eq!(config.remove(|whose, _| whose == Whose::Ours), 1);
        assert_eq!(config.text(), text);
        assert_eq!(config.remove(|_, _| true), 1);
        assert_eq!(config.text(), r#"{"components": [{"id": "a", "path": "x.Y"}]}"#);
    }

    /// Where the key is missing, empty or null, in the file's own line ends; of two of one name the last counts.
    #[test]
    fn a_job_without_components_gets_them() {
        for text in [
            "{}",
            r#"{"components": null, "k": 1}"#,
            r#"{"components": 1, "components": []}"#,
            "{\r\n  \"a\": 1\r\n}\r\n",
        ] {
            let mut config = config(text);
            assert!(config.declare(&of("log.txt")));
            assert_eq!(components(&config).as_array().unwrap().len(), 1, "{}", config.text());
            assert!(!text.contains('\r') || !config.text().replace("\r\n", "").contains('\n'), "{:?}", config.text());
        }
        let mut config = config("{\n    \"a\": 1\n}\n");
        config.declare(&of("log.txt"));
        assert!(config.text().starts_with("{\n    \"a\": 1,\n    \"components\": [\n        {\n            \"id\""));
        assert!(config.text().ends_with("\n        }\n    ]\n}\n"), "{}", config.text());
    }

    #[test]
    fn what_is_no_configuration_is_refused_in_words() {
        for (text, words) in [
            ("[]", "it is not a JSON object"),
            ("{\"a\": 1", "it is not JSON: EOF while parsing an object at line 1 column 7"),
            ("{\"a\": 1,}", "it is not JSON: trailing comma at line 1 column 9"),
            ("{/* c */}", "it is not JSON"),
            ("components = []", "it is not JSON"),
            (r#"{"components": {}}"#, "its \"components\" are not a list"),
        ] {
            let refused = JobConfig::new(text.into()).unwrap_err();
            assert!(refused.starts_with(words), "{text}: {refused}");
        }
    }
}
