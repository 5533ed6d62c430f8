use fedtail_policy_sdk::testing::filter;

use super::*;

fn redact(log: &str) -> String {
    filter::<Redact>(&[], log).unwrap()
}

#[test]
fn addresses_and_ids_are_taken_out_and_the_rest_of_the_line_stays() {
    for (line, left) in [
        ("mail to Ada.L+x@clinic.example.org, now", "mail to [email], now"),
        ("from 10.0.17.254:8002 to 192.168.1.1.", "from [ip]:8002 to [ip]."),
        ("peer [2001:db8::1]:443, fe80:: and 2001:0db8:0:0:0:0:0:1", "peer [[ip]]:443, [ip] and [ip]"),
        ("loading patient_id=A-00417 and MRN: 883201", "loading patient_id=[patient] and MRN: [patient]"),
        (r#"{"PatientID": "X99", "n": 3}"#, r#"{"PatientID": "[patient]", "n": 3}"#),
        ("read /data/sub-0042/anat.nii", "read /data/sub-[patient]/anat.nii"),
        ("ssn 078-05-1120", "ssn [patient]"),
    ] {
        assert_eq!(redact(line), left);
    }
}

#[test]
fn an_ordinary_line_of_a_training_run_stays_as_it_is() {
    for line in [
        "2026-11-24 03:31:44,470 - FederatedClient - INFO - round 3, loss 0.1234, 14 patients left out of 300\n",
        "epoch 1/20 [00:12<03:48, 12.03s/it] patient data loaded; a@b; std::vec::Vec; 1.2.3\n",
        "2026-11-24T03:31:44.470+01:00 sub-optimal subject to change\n",
    ] {
        assert_eq!(redact(line), line);
    }
}

#[test]
fn the_sites_own_patterns_are_named_in_the_line_and_built_in_ones_can_be_off() {
    let settings = [("pattern.ward", r"\bward [A-Z]\d"), ("ip", "off"), ("pattern.$1", "xyz")];
    let left = filter::<Redact>(&settings, "ward B7 at 10.0.0.1 xyz a@b.c\n").unwrap();
    assert_eq!(left, "[ward] at 10.0.0.1 [$1] [email]\n");
}

#[test]
fn a_setting_that_cant_be_used_is_refused_in_words() {
    let refused = |settings: &[_]| filter::<Redact>(settings, "").unwrap_err();
    assert!(refused(&[("pattern.x", "(")]).contains("`pattern.x` is no pattern"));
    assert!(refused(&[("email", "no")]).contains("has to be on or off"));
    assert!(refused(&[("patern.x", "y")]).contains("no setting `patern.x`"));
}

#[test]
fn bytes_that_are_no_text_stay_and_do_not_hide_an_address() {
    let mut redact = Redact::start(&mut Custom::default()).unwrap();
    let mut out = Vec::new();
    redact.line(b"\xff a@b.example\xfe\n", &mut out);
    assert_eq!(out, b"\xff [email]\xfe\n");
}

#[test]
fn the_rest_of_a_line_that_left_in_part_is_withheld() {
    let mut redact = Redact::start(&mut Custom::default()).unwrap();
    let mut out = Vec::new();
    redact.rest(b"ient 17\n", &mut out);
    assert_eq!(out, b"[the rest of a line was withheld]\n");
}
