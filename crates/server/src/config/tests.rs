//! Tests of the configuration.

use std::path::PathBuf;

use super::*;

fn faults(text: &str) -> Vec<(usize, String, String)> {
    let error = Config::parse("posta.toml", text).expect_err(text);
    error.findings().map(|(line, finding)| (line, finding.what.clone(), finding.mend.clone())).collect()
}

#[test]
fn an_empty_file_and_the_sample_mean_the_defaults() {
    assert_eq!(Config::parse("posta.toml", "").unwrap(), Config::default());
    assert_eq!(Config::parse("posta.toml", &sample()).unwrap(), Config::default());
}

#[test]
fn the_sample_with_its_comment_signs_removed_still_means_the_defaults() {
    let text: String = sample()
        .lines()
        .map(|line| format!("{}\n", line.strip_prefix("# ").map_or(line.trim_start_matches('#'), |_| "")))
        .collect();
    assert!(text.contains("recipients_max = 1000"), "{text}");
    let config = Config::parse("posta.toml", &text).unwrap();
    // The sample shows one listener where the default has two, and one certificate and one issuer where it has none.
    let expected = Config {
        listeners: vec![Listener::default()],
        certificates: CertificateSource::Files(vec![Certificate::default()]),
        oauth: vec![Oauth::default()],
        dnsbl: vec![DnsList::default()],
        transports: Transports::new(vec![TransportRule::new(
            mta::route::Pattern::Everything,
            mta::route::Transport::Mx,
        )]),
        ..Config::default()
    };
    assert_eq!(config, expected);
}

#[test]
fn the_manual_in_docs_is_what_the_program_says() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/configuration.md");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, manual()).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap(), manual(), "UPDATE_GOLDEN=1 rewrites it");
}

#[test]
fn every_key_can_be_set() {
    let text = r#"
        host_name = "mail.example.org"
        data = "/srv/mail"
        domains = ["example.org", "bücher.example"]
        [[listener]]
        service = "smtp"
        address = "[::1]:2525"
        hand_typed_lf = true
        [[listener]]
        service = "pop3"
        address = "127.0.0.1:1110"
        [smtp]
        message_bytes_max = "64 KiB"
        recipients_max = 100
        command_timeout_s = 300
        [pop3]
        command_timeout_s = 0x300
        [limits]
        body_memory_bytes_max = 1048576
        [store]
        segment_bytes = "1 GiB"
        [log]
        format = "json"
        level = "debug"
    "#;
    let config = Config::parse("posta.toml", text).unwrap();
    assert_eq!(config.host_name.as_str(), "mail.example.org");
    assert_eq!(config.data, PathBuf::from("/srv/mail"));
    let domains = vec!["example.org".parse().unwrap(), "xn--bcher-kva.example".parse().unwrap()];
    assert_eq!(config.recipients, Recipients::Domains(domains));
    assert_eq!(config.listeners.len(), 2);
    assert_eq!(config.listeners[0].hand_typed_lf, HandTypedLf::Allowed);
    assert_eq!(config.listeners[1].service, Service::Pop3);
    assert_eq!(config.smtp.message_bytes_max, ByteSize(65_536));
    assert_eq!(config.pop3.command_timeout_s, Seconds(0x300));
    assert_eq!(config.limits.body_memory_bytes_max, ByteSize(1 << 20));
    assert_eq!(config.store.segment_bytes, ByteSize(1 << 30));
    assert_eq!((config.log.format, config.log.level), (LogFormat::Json, LogLevel::Debug));
}

#[test]
fn every_key_of_a_listener_of_submission_and_of_policy_can_be_set() {
    let text = r#"
        [[listener]]
        service = "submission"
        address = "unix:/run/posta/submission.sock"
        socket_mode = "0600"
        tls = "offered"
        auth = "offered"
        message_bytes_max = "1 MiB"
        recipients_max = 100
        proxy_from = ["127.0.0.1", "10.0.0.0/8"]
        xclient_from = ["2001:db8::/32"]
        greet_delay_s = 5
        [tls]
        handshakes_max = 10
        [policy]
        trusted_networks = ["192.0.2.0/24"]
        verify = "everybody"
        hello_check = "strict"
        quota_reply = "permanent"
        etrn = "anyone"
        turn = "after_login"
        [submission]
        messages_per_hour_per_account_max = 1
        messages_per_hour_per_address_max = 2
        header_bytes_max = "64 KiB"
        hold_max_s = 3
        idempotency_window_s = 4
        deliver_by_min_s = 5
    "#;
    let config = Config::parse("posta.toml", text).unwrap();
    let submission = Listener {
        service: Service::Submission,
        address: ListenAddress::Unix("/run/posta/submission.sock".into()),
        socket_mode: FileMode(0o600),
        tls: TlsChoice::Offered,
        auth: AuthChoice::Offered,
        message_bytes_max: ByteSize::mib(1),
        recipients_max: 100,
        proxy_from: vec!["127.0.0.1".parse().unwrap(), "10.0.0.0/8".parse().unwrap()],
        xclient_from: vec!["2001:db8::/32".parse().unwrap()],
        greet_delay_s: Seconds(5),
        hand_typed_lf: HandTypedLf::Refused,
    };
    assert_eq!(config.listeners[0], submission);
    assert_eq!(config.tls.handshakes_max, 10);
    let policy = Policy {
        trusted_networks: vec!["192.0.2.0/24".parse().unwrap()],
        verify: Verify::Everybody,
        hello_check: HelloCheck::Strict,
        quota_reply: QuotaReply::Permanent,
        etrn: Etrn::Anyone,
        turn: TurnChoice::AfterLogin,
    };
    assert_eq!(config.policy, policy);
    let submission = Submission {
        messages_per_hour_per_account_max: 1,
        messages_per_hour_per_address_max: 2,
        header_bytes_max: ByteSize(65_536),
        hold_max_s: Seconds(3),
        idempotency_window_s: Seconds(4),
        deliver_by_min_s: Seconds(5),
    };
    assert_eq!(config.submission, submission);
}

#[test]
fn each_fault_names_its_line_its_key_and_its_mend() {
    // The text, the line, a part of what is wrong, a part of the mend.
    let rows = [
        ("hostname = 'a'", 1, "unknown key `hostname`", "did you mean `host_name`?"),
        ("\n\nlisteners = []", 3, "unknown key `listeners`", "did you mean `listener`?"),
        ("[smtp]\nrecipient-max = 200", 2, "unknown key `recipient-max`", "did you mean `recipients_max`?"),
        ("[smtp]\nhops = 200", 2, "unknown key `hops`", "did you mean `hops_max`?"),
        ("[smpt]\n", 1, "unknown key `smpt`", "did you mean `smtp`?"),
        ("[pop3]\ncolour = 1", 2, "unknown key `colour`", "known here: command_timeout_s"),
        ("smtp = 5", 1, "`smtp` is a table", "[smtp]"),
        ("listener = 5", 1, "`listener` is a list of tables", "[[listener]]"),
        ("[listener]\nservice = 'smtp'", 1, "`listener` is a list of tables", "[[listener]]"),
        ("[[listener]]\nservice = 'smtp'", 1, "no `address`", "address = \"0.0.0.0:25\""),
        ("[[listener]]\naddress = '[::]:25'", 1, "no `service`", "service = \"smtp\""),
        (
            "[[listener]]\nservice='imap4'\naddress='[::]:25'",
            2,
            "none of the words",
            "\"smtp\", \"submission\"",
        ),
        ("[[listener]]\nservice='smtp'\naddress='::1'", 3, "has no port", "[::1]:25"),
        (
            "[[listener]]\nservice='smtp'\naddress='localhost:25'",
            3,
            "no IP address with a port",
            "0.0.0.0:25",
        ),
        ("[[listener]]\nservice='smtp'\naddress=25", 3, "of type integer", "0.0.0.0:25"),
        ("host_name = 'a b'", 1, "`host_name`", "example.org"),
        ("domains = 'example.org'", 1, "a list is wanted", "brackets"),
        ("domains = ['example.org', '-x']", 1, "`domains`", "example.org"),
        ("data = ''", 1, "the path is empty", "/var/lib/posta"),
        ("[smtp]\nrecipients_max = '100'", 2, "of type string", "without quotes"),
        ("[smtp]\nrecipients_max = -1", 2, "out of range", "from 0 up"),
        ("[smtp]\nrecipients_max = 99999999999999999999", 2, "out of range", "from 0 up"),
        ("[smtp]\nmessage_bytes_max = '50 MB'", 2, "\"50 MB\" is no size", "64 KiB"),
        ("[smtp]\nmessage_bytes_max = '99999999999 GiB'", 2, "is no size", "64 KiB"),
        ("[smtp]\nmessage_bytes_max = true", 2, "of type boolean", "64 KiB"),
        ("[log]\nlevel = 'verbose'", 2, "`level`", "\"info\""),
    ];
    for (text, line, what, mend) in rows {
        let faults = faults(text);
        assert_eq!(faults.len(), 1, "{text}: {faults:?}");
        assert_eq!(faults[0].0, line, "{text}: {faults:?}");
        assert!(faults[0].1.contains(what), "{text}: {faults:?}");
        assert!(faults[0].2.contains(mend), "{text}: {faults:?}");
    }
}

#[test]
fn a_limit_below_the_minimum_of_its_rfc_is_refused_and_the_minimum_itself_is_taken() {
    let rows = [
        ("smtp", "command_line_bytes_max", 512, "RFC 5321 §4.5.3.1.4"),
        ("smtp", "text_line_bytes_max", 1000, "RFC 5321 §4.5.3.1.6"),
        ("smtp", "recipients_max", 100, "RFC 5321 §4.5.3.1.8"),
        ("smtp", "message_bytes_max", 65_536, "RFC 5321 §4.5.3.1.7"),
        ("smtp", "command_timeout_s", 300, "RFC 5321 §4.5.3.2.7"),
        ("smtp", "data_block_timeout_s", 180, "RFC 5321 §4.5.3.2.5"),
        ("smtp", "hops_max", 100, "RFC 5321 §6.3"),
        ("imap", "command_timeout_s", 1800, "RFC 9051 §5.4"),
        ("pop3", "command_timeout_s", 600, "RFC 1939 §3"),
    ];
    for (section, key, minimum, source) in rows {
        let below = format!("[{section}]\n{key} = {}", minimum - 1);
        let faults = faults(&below);
        assert_eq!(faults[0].0, 2);
        assert_eq!(faults[0].1, format!("`{key}` must be at least {minimum} ({source})"));
        Config::parse("posta.toml", &format!("[{section}]\n{key} = {minimum}")).unwrap();
    }
}

#[test]
fn all_faults_are_told_at_once_in_the_order_of_the_file() {
    let text = "host_nam = 'x'\n[pop3]\nerrors_max = 0\n[smtp]\nrecipients_max = 1\nhops = 3\n";
    let lines: Vec<_> = faults(text).iter().map(|(line, ..)| *line).collect();
    assert_eq!(lines, [1, 3, 5, 6]);
    let shown = Config::parse("posta.toml", text).unwrap_err().to_string();
    assert!(
        shown.starts_with("posta.toml:1: unknown key `host_nam`; did you mean `host_name`?\n"),
        "{shown}"
    );
}

#[test]
fn a_fault_of_the_toml_itself_names_its_line() {
    for (text, line) in [("a = \n", 1), ("[smtp\nx = 1\n", 1), ("data = '/x'\ndata = '/y'\n", 2)] {
        assert_eq!(faults(text)[0].0, line, "{text}: {:?}", faults(text));
    }
}

#[test]
fn the_same_address_twice_is_refused_but_any_free_port_is_not() {
    let two = |address: &str| {
        let one = format!("[[listener]]\nservice = 'smtp'\naddress = '{address}'\n");
        format!("{one}{one}")
    };
    assert_eq!(faults(&two("127.0.0.1:2525"))[0].0, 6);
    Config::parse("posta.toml", &two("127.0.0.1:0")).unwrap();
}

#[test]
fn hand_typed_lf_is_refused_off_loopback_and_for_pop3() {
    for (service, address) in [("smtp", "0.0.0.0:25"), ("smtp", "192.0.2.1:25"), ("pop3", "127.0.0.1:110")] {
        let text = format!("[[listener]]\nservice='{service}'\naddress='{address}'\nhand_typed_lf = true");
        assert_eq!(faults(&text)[0].0, 4, "{text}");
    }
}

#[test]
fn dev_mode_listens_on_loopback_alone_on_the_standard_ports_plus_the_offset() {
    let dev = |port_offset| {
        Config::dev(DevOptions { data: "d".into(), port_offset, relay: None, log: Log::default() })
    };
    let listeners = |port_offset| {
        let config = dev(port_offset);
        assert!(config.listeners.iter().all(|listener| listener.address.is_local()));
        let of = |l: &Listener| format!("{} {}", l.service, l.address.port().unwrap_or(0));
        config.listeners.iter().map(of).collect::<Vec<_>>()
    };
    assert_eq!(
        listeners(PortOffset::default()),
        [
            "smtp 1025",
            "submission 1587",
            "submissions 1465",
            "lmtp 0",
            "imap 1143",
            "imaps 1993",
            "pop3 1110",
            "pop3s 1995",
            "odmr 1366",
            "http 8025"
        ]
    );
    assert_eq!(
        listeners(PortOffset::By(2000)),
        [
            "smtp 2025",
            "submission 2587",
            "submissions 2465",
            "lmtp 0",
            "imap 2143",
            "imaps 2993",
            "pop3 2110",
            "pop3s 2995",
            "odmr 2366",
            "http 9025"
        ]
    );
    assert!(listeners(PortOffset::Auto).iter().all(|listener| listener.ends_with(" 0")));
    let lmtp = dev(PortOffset::Auto).listeners[3].address.clone();
    assert_eq!(lmtp, ListenAddress::Unix("d/lmtp.sock".into()));
    assert_eq!(dev(PortOffset::Auto).recipients, Recipients::CatchAll);
}

#[test]
fn a_certificate_needs_its_key_and_tls_has_two_versions() {
    let text = "[[certificate]]\ncertificate = \"a.pem\"\n[tls]\nminimum_version = \"1.1\"\n";
    let faults = faults(text);
    assert_eq!(faults.len(), 2, "{faults:?}");
    assert!(faults[0].0 == 1 && faults[0].1.contains("the certificate has no `key`"), "{faults:?}");
    assert!(faults[1].0 == 4 && faults[1].1.contains("1.1"), "{faults:?}");
    let text =
        "[[certificate]]\ncertificate = \"a.pem\"\nkey = \"a.key\"\n[tls]\nminimum_version = \"1.3\"\n";
    let config = Config::parse("posta.toml", text).unwrap();
    let certificate = Certificate { certificate: "a.pem".into(), key: "a.key".into() };
    assert_eq!(config.certificates, CertificateSource::Files(vec![certificate]));
    assert_eq!(config.tls.minimum_version, TlsVersion::Tls13);
}

/// The first fault of one listener: its line, what is wrong, the mend.
fn fault_of_listener(lines: &str) -> (usize, String, String) {
    faults(&format!("[[listener]]\n{lines}")).remove(0)
}

#[test]
fn keys_of_a_listener_that_do_not_go_together_are_faults() {
    // The lines, which of them is at fault, a part of what is wrong.
    for (lines, line, what) in [
        ("service='submission'\naddress='0.0.0.0:587'\nauth='off'", 4, "submission is for those who log in"),
        ("service='submissions'\naddress='0.0.0.0:465'\ntls='off'", 4, "submissions begins with TLS"),
        ("service='pop3s'\naddress='0.0.0.0:995'\ntls='offered'", 4, "pop3s begins with TLS"),
        ("service='http'\naddress='127.0.0.1:8025'\ntls='required'", 4, "http has no TLS"),
        ("service='pop3'\naddress='127.0.0.1:110'\nauth='off'", 4, "`auth` is for services that take mail"),
        ("service='http'\naddress='127.0.0.1:80'\ngreet_delay_s=1", 4, "`greet_delay_s` is for services"),
        (
            "service='pop3'\naddress='127.0.0.1:110'\nxclient_from=['::1']",
            4,
            "`xclient_from` is for services",
        ),
        ("service='lmtp'\naddress='127.0.0.1:25'", 3, "port 25 is not for LMTP"),
        ("service='lmtp'\naddress='127.0.0.1:24'\nsocket_mode='0600'", 4, "`socket_mode` is for sockets"),
        ("service='lmtp'\naddress='unix:lmtp.sock'", 3, "begins with a slash"),
        ("service='lmtp'\naddress='unix:/a'\nsocket_mode='0999'", 4, "no rights of a file"),
        ("service='lmtp'\naddress='unix:/a'\nsocket_mode='04755'", 4, "no rights of a file"),
        ("service='lmtp'\naddress='unix:/a'\nsocket_mode=0o660", 4, "rights in quotes"),
        ("service='smtp'\naddress='0.0.0.0:25'\nmessage_bytes_max=65535", 4, "at least 65536 (RFC 5321"),
        ("service='smtp'\naddress='0.0.0.0:25'\nrecipients_max=99", 4, "at least 100 (RFC 5321"),
        ("service='smtp'\naddress='0.0.0.0:25'\nproxy_from=['10.0.0.1/8']", 4, "goes on behind"),
        (
            "service='smtp'\naddress='127.0.0.1:25'\nproxy_from=['127.0.0.1']\nhand_typed_lf=true",
            5,
            "`hand_typed_lf` is for SMTP on a loopback address",
        ),
    ] {
        let fault = fault_of_listener(lines);
        assert!(fault.0 == line && fault.1.contains(what), "{lines}: {fault:?}");
    }
}

#[test]
fn what_a_listener_does_without_being_told_is_right_for_its_service() {
    use {AuthPolicy as Auth, TlsPolicy as Tls};
    for (service, address, tls, auth) in [
        ("smtp", "0.0.0.0:25", Tls::Offered, Auth::Off),
        ("submission", "0.0.0.0:587", Tls::Required, Auth::Required),
        ("submission", "127.0.0.1:587", Tls::Required, Auth::Required),
        ("submissions", "0.0.0.0:465", Tls::Required, Auth::Required),
        ("lmtp", "127.0.0.1:24", Tls::Offered, Auth::Off),
        ("lmtp", "unix:/a", Tls::Off, Auth::Off),
        ("submission", "unix:/a", Tls::Off, Auth::Required),
        ("imap", "0.0.0.0:143", Tls::Offered, Auth::Off),
        ("imaps", "0.0.0.0:993", Tls::Required, Auth::Off),
        ("pop3", "0.0.0.0:110", Tls::Offered, Auth::Off),
        ("pop3s", "0.0.0.0:995", Tls::Required, Auth::Off),
        ("http", "127.0.0.1:8025", Tls::Off, Auth::Off),
    ] {
        let text = format!("[[listener]]\nservice='{service}'\naddress='{address}'");
        let config = Config::parse("posta.toml", &text).unwrap();
        let listener = &config.listeners[0];
        assert_eq!((listener.tls_policy(), listener.auth_policy()), (tls, auth), "{service} {address}");
        assert_eq!(listener.message_bytes_max(&config.smtp), config.smtp.message_bytes_max.bytes());
        assert_eq!(listener.recipients_max(&config.smtp), config.smtp.recipients_max);
    }
}

#[test]
fn with_a_certificate_mail_from_users_is_taken_too() {
    let services = |text: &str| {
        let config = Config::parse("posta.toml", text).unwrap();
        config.listeners.iter().map(|l| format!("{} {}", l.service, l.address)).collect::<Vec<_>>()
    };
    assert_eq!(services(""), ["smtp 0.0.0.0:25", "imap 127.0.0.1:143", "pop3 127.0.0.1:110"]);
    assert_eq!(
        services("[[certificate]]\ncertificate='a'\nkey='b'"),
        [
            "smtp 0.0.0.0:25",
            "submission 0.0.0.0:587",
            "submissions 0.0.0.0:465",
            "imap 127.0.0.1:143",
            "imaps 0.0.0.0:993",
            "pop3 127.0.0.1:110",
            "pop3s 0.0.0.0:995"
        ]
    );
}
