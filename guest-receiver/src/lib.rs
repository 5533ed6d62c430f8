//! The default receiver policy: it stores what a site sends, as it is.
//!
//! It is the trivial case of what policies are written with: a gate that takes everything.

#![deny(missing_docs, unsafe_code)]

fedtail_policy_sdk::receiver!(fedtail_policy_sdk::receiver::TakesAll);

#[cfg(test)]
mod tests {
    use fedtail_policy_sdk::receiver::TakesAll;
    use fedtail_policy_sdk::testing::receive;

    #[test]
    fn what_a_site_sends_is_stored_as_it_is() {
        assert_eq!(receive::<TakesAll>(&[], "log.txt", &["one\n", "two"]).unwrap(), "one\ntwo");
    }

    #[test]
    fn a_setting_is_refused_since_it_has_none() {
        let words = receive::<TakesAll>(&[("keep", "true")], "log.txt", &[]).unwrap_err();
        assert!(words.contains("this policy has no setting `keep`"), "{words}");
    }
}
