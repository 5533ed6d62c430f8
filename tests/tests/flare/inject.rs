//! `fedtail inject`: log streamers in the configuration of jobs.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use fedtail_tests::{Exit, Place, Process, fedtail, listing};

/// As FLARE's job interface writes it.
const CONFIG: &str = r#"{
    "format_version": 2,
    "executors": [
        {
            "tasks": ["train"],
            "executor": {"path": "trainer.Trainer", "args": {"rate": 1.50e-3}}
        }
    ],
    "components": [],
    "task_data_filters": []
}
"#;

const FLARES_OWN: &str =
    r#"{"components": [{"path": "nvflare.app_common.logging.job_log_streamer.JobLogStreamer"}], "a": 1}"#;

/// A job as FLARE deploys it to a site, with this configuration of its client.
fn job(place: &Place, config: &str) -> PathBuf {
    let directory = place.path("site-1/job-1/app_site-1/config");
    std::fs::create_dir_all(&directory).unwrap();
    let path = directory.join("config_fed_client.json");
    std::fs::write(&path, config).unwrap();
    path
}

fn settings(place: &Place, text: &str) {
    let local = place.path("site-1/local");
    std::fs::create_dir_all(&local).unwrap();
    std::fs::write(local.join("resources.json"), text).unwrap();
}

fn inject(config: &Path, extra: &[&str]) -> Exit {
    Process::start("inject", fedtail(["inject"]).args(extra).arg(config)).ends()
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

/// A second time nothing changes; with --remove the file is byte for byte what it was. The mode stays, nothing else is left
/// in the directory, and through a link the file behind it is changed and the link stays.
#[test]
fn a_streamer_is_declared_once_and_removed_without_a_trace() {
    let place = Place::new();
    let config = job(&place, CONFIG);
    std::fs::set_permissions(&config, std::fs::Permissions::from_mode(0o640)).unwrap();
    let link = place.path("link.json");
    symlink(&config, &link).unwrap();
    let around = listing(&place.path("site-1"));

    let flags = ["--log", "log.txt", "--log", "error_log.txt", "--liveness-interval", "5s", "--policy", "/etc/p.wasm"];
    inject(&link, &flags).with_code(0).line("link.json: 2 streamers declared");
    let declared = r#""components": [
        {
            "id": "job_log_streamer",
            "path": "fedtail.flare.JobLogStreamer",
            "args": {
                "liveness_interval": 5.0,
                "log_file_name": "log.txt",
                "policy": "/etc/p.wasm"
            }
        },
        {
            "id": "job_log_streamer_2",
            "path": "fedtail.flare.JobLogStreamer",
            "args": {
                "liveness_interval": 5.0,
                "log_file_name": "error_log.txt",
                "policy": "/etc/p.wasm"
            }
        }
    ]"#;
    assert_eq!(read(&config), CONFIG.replace("\"components\": []", declared));
    let before = std::fs::metadata(&config).unwrap();
    inject(&config, &flags).with_code(0).line("config_fed_client.json: nothing to change");
    assert_eq!(std::fs::metadata(&config).unwrap().modified().unwrap(), before.modified().unwrap());

    inject(&config, &["--remove"]).with_code(0).line("config_fed_client.json: 2 streamers removed");
    assert_eq!(read(&config), CONFIG);
    assert_eq!(before.permissions().mode() & 0o777, 0o640);
    assert_eq!(std::fs::metadata(&config).unwrap().permissions().mode() & 0o777, 0o640);
    assert_eq!(std::fs::read_link(&link).unwrap(), config);
    assert_eq!(listing(&place.path("site-1")), around);
}

/// The difference is one that `patch` would take, and the file is not touched.
#[test]
fn a_dry_run_shows_the_difference_and_changes_nothing() {
    let place = Place::new();
    let config = job(&place, CONFIG);
    let exit = inject(&config, &["--dry-run"]).with_code(0);
    assert_eq!(read(&config), CONFIG);
    let name = config.display();
    let first = [format!("--- {name}"), format!("+++ {name}"), "@@ -6,6 +6,14 @@".into()];
    assert_eq!(exit.out[..3], first);
    assert_eq!(exit.out.iter().filter(|line| line.starts_with('-')).count(), 2, "{exit:#?}");
    assert!(exit.out.contains(&r#"+            "path": "fedtail.flare.JobLogStreamer","#.to_owned()), "{exit:#?}");

    inject(&config, &[]).with_code(0);
    assert!(inject(&config, &["--dry-run"]).with_code(0).out.is_empty(), "nothing is different");
}

/// FLARE's own streamer of the log is enough, and is not this command's to remove.
#[test]
fn flares_own_streamer_is_left_alone() {
    let place = Place::new();
    let config = job(&place, FLARES_OWN);
    inject(&config, &[]).with_code(0).line("nothing to change");
    inject(&config, &["--remove"]).with_code(0).line("nothing to change");
    assert_eq!(read(&config), FLARES_OWN);
}

/// A site that says no: nothing is declared, and what the job brought with it is removed, FLARE's too. So also where the
/// site's word can't be understood, and where the job is not in its workspace yet and the workspace is given.
#[test]
fn a_site_that_forbids_streaming_has_all_streamers_removed() {
    let place = Place::new();
    let config = job(&place, FLARES_OWN);
    settings(&place, r#"{"allow_log_streaming": false}"#);
    let exit = inject(&config, &["--log", "error_log.txt"]).with_code(0);
    exit.line("not streamed, 1 streamer removed: \"allow_log_streaming\" is false in");
    assert_eq!(read(&config), r#"{"components": [], "a": 1}"#);

    settings(&place, r#"{"allow_log_streaming": "#);
    let exit = inject(&config, &[]).with_code(0);
    exit.line("not streamed, nothing to change: whether the site allows it is not known");

    let prepared = place.path("prepared.json");
    std::fs::write(&prepared, FLARES_OWN).unwrap();
    let workspace = place.path("site-1");
    inject(&prepared, &["--workspace", workspace.to_str().unwrap()]).with_code(0).line("1 streamer removed");

    settings(&place, r#"{"allow_log_streaming": true}"#);
    inject(&config, &[]).with_code(0).line("1 streamer declared");
}

/// Of several files none is changed when one can't be; the words name it.
#[test]
fn what_cannot_be_edited_is_said_and_nothing_is_changed() {
    let place = Place::new();
    let good = job(&place, CONFIG);
    for (name, text, words) in [
        ("a.conf", "components = []", "a.conf: it is a .conf, and only JSON is edited: convert it, or declare"),
        ("a.yml", "components: []", "a.yml: it is a .yml, and only JSON is edited"),
        (
            "a.json",
            "{\"components\": [,]}",
            "a.json: it is not JSON: expected value at line 1 column 17; nothing is changed",
        ),
        ("b.json", "{\"components\": 7}", "b.json: its \"components\" are not a list; nothing is changed"),
    ] {
        let bad = place.path(name);
        std::fs::write(&bad, text).unwrap();
        let error = inject(&bad, &[good.to_str().unwrap()]).with_error(1);
        assert!(error.contains(words), "{error}");
        assert_eq!((read(&bad).as_str(), read(&good).as_str()), (text, CONFIG));
    }
    let error = inject(&good, &["--workspace", place.path("").to_str().unwrap()]).with_error(1);
    assert!(error.contains("is no site's workspace: the site's settings are not there"), "{error}");
    let error = inject(&place.path("none.json"), &[]).with_error(1);
    assert!(error.contains("none.json: it cannot be read: No such file or directory"), "{error}");
}
