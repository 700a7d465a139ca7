use super::*;
use std::io::Write;

fn env(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn file(text: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
    file.write_all(text.as_bytes()).expect("written");
    file
}

fn error(result: Result<Settings, SettingsError>) -> String {
    result.expect_err("must be refused").to_string()
}

#[test]
fn flags_win_over_environment_over_file_over_defaults() {
    let file = file("worker_slots = 1\nnamespace = \"file\"\nlog_format = \"json\"\n");
    let environment =
        env(&[("RETHREAD_WORKER_SLOTS", "2"), ("RETHREAD_WORKER_QUEUES", "a, b"), ("HOME", "/")]);
    let flags = BTreeMap::from([("worker_slots", "3".to_owned())]);
    let settings = Settings::load(Some(file.path()), environment, flags).expect("valid");
    let expected = Settings {
        worker_slots: 3,
        worker_queues: vec!["a".into(), "b".into()],
        namespace: "file".into(),
        log_format: LogFormat::Json,
        ..Settings::default()
    };
    assert_eq!(settings, expected);
}

#[test]
fn an_unknown_name_is_refused_with_its_origin_and_the_known_ones() {
    let file = file("worker_slot = 1");
    let from_file = Settings::load(Some(file.path()), [], BTreeMap::new());
    let environment = env(&[("RETHREAD_WORKER_SLOT", "1")]);
    let from_environment = Settings::load(None, environment, BTreeMap::new());
    let path = file.path().display().to_string();
    for (settings, origin) in
        [(from_file, path.as_str()), (from_environment, "RETHREAD_WORKER_SLOT")]
    {
        let text = error(settings);
        let parts = ["`worker_slot`", origin, "worker_slots"];
        assert!(parts.iter().all(|part| text.contains(part)), "{text}");
    }
}

#[test]
fn the_list_of_names_is_that_of_the_fields() {
    let text = format!("{:?}", Settings::default());
    assert!(NAMES.iter().all(|name| text.contains(&format!("{name}: "))), "{text}");
    assert_eq!(text.matches(": ").count(), NAMES.len(), "{text}");
}

#[test]
fn a_choice_names_its_values_and_an_empty_variable_is_none() {
    let environment = env(&[("RETHREAD_DATA_SYNC", "fast"), ("RETHREAD_REDIS_URL", "")]);
    let text = error(Settings::load(None, environment, BTreeMap::new()));
    assert!(text.contains("`disk` or `process`") && text.contains("data_sync"), "{text}");
    let environment = env(&[("RETHREAD_REDIS_URL", "")]);
    let settings = Settings::load(None, environment, BTreeMap::new()).expect("valid");
    assert_eq!(settings.redis_url, None);
}

#[test]
fn a_wrong_value_names_its_setting_and_origin() {
    let text =
        error(Settings::load(None, env(&[("RETHREAD_WORKER_SLOTS", "many")]), BTreeMap::new()));
    assert!(text.contains("worker_slots") || text.contains("RETHREAD_WORKER_SLOTS"), "{text}");
    let text = error(Settings::load(None, env(&[("RETHREAD_WORKER_SLOTS", "0")]), BTreeMap::new()));
    assert!(text.contains("worker_slots") && text.contains("at least 1"), "{text}");
}

#[test]
fn a_missing_file_is_named() {
    let missing = Path::new("no/such/file.toml");
    let text = error(Settings::load(Some(missing), [], BTreeMap::new()));
    assert!(text.contains("no/such/file.toml"), "{text}");
}

#[test]
fn limits_and_addresses_are_checked() {
    for (name, value, part) in [
        ("ADMIN_LISTEN", "0.0.0.0:9090", "admin_insecure"),
        ("ADMIN_LISTEN", "localhost", "admin_listen"),
        ("ORDERS_MAX", "0", "at least 1"),
        ("PAYLOAD_BYTES_MAX", "1000", "1 KiB"),
        ("JOURNAL_BYTES_MAX", "4000000", "`payload_bytes_max`"),
        ("REDIS_TLS_CA", "/ca.pem", "`rediss`"),
        ("REDIS_REPLICAS", "1", "no replicas"),
        ("OTLP_ENDPOINT", "127.0.0.1:4318", "http://127.0.0.1:4318"),
        ("HTTP_CORS_ORIGINS", "https://a.example.com/x", "without a path"),
        ("HTTP_BODY_BYTES_MAX", "1023", "1 KiB"),
        ("HTTP_STREAMS_MAX", "0", "from 1"),
        ("HTTP_HEARTBEAT_MS", "60001", "a minute"),
        ("HTTP_WEBHOOK_SECRET", "hunter2", "24 to 64"),
        ("HTTP_WEBHOOK_HOSTS", "hooks.example.com", "http_webhook_secret"),
    ] {
        let environment = env(&[(&format!("RETHREAD_{name}"), value)]);
        let text = error(Settings::load(None, environment, BTreeMap::new()));
        let names_it = text.to_lowercase().contains(&name.to_lowercase());
        assert!(text.contains(part) && names_it, "{text}");
    }
    let environment = env(&[
        ("RETHREAD_ADMIN_LISTEN", "0.0.0.0:9090"),
        ("RETHREAD_ADMIN_INSECURE", "true"),
        ("RETHREAD_ORDERS_MAX", "7"),
    ]);
    let settings = Settings::load(None, environment, BTreeMap::new()).expect("valid");
    assert_eq!(settings.limits(), Limits { orders_max: 7, ..Limits::default() });
}

#[test]
fn the_defaults_are_valid_and_show_no_password() {
    let settings = Settings {
        redis_url: Some("redis://:hunter2@h".into()),
        http_webhook_secret: Some("whsec_aHVudGVyMmh1bnRlcjJodW50ZXIyaHVudGVyMg==".into()),
        ..Settings::default()
    };
    ranges::check(&settings).expect("valid");
    let shown = format!("{settings:?} {}", serde_json::to_string(&settings).expect("serializes"));
    assert!(
        !shown.contains("hunter2") && !shown.contains("whsec_") && shown.contains("redis://***@h"),
        "{shown}"
    );
}
