use super::*;

fn list() -> Mailbox {
    "engines@lists.example.org".parse().unwrap()
}

fn rewritten(header: &str) -> String {
    String::from_utf8(with_list_as_author(header.as_bytes(), &list()).unwrap()).unwrap()
}

/// The new `From` of a message with this one.
fn from(value: &str) -> String {
    let header = rewritten(&format!("From: {value}\r\n\r\n"));
    let field = FieldsOf::new(header.as_bytes()).next().unwrap();
    let field = &header[field.range];
    assert!(field.split("\r\n").all(|line| line.len() <= 78), "{field}");
    field.replace("\r\n", "").trim_start_matches("From:").trim().to_owned()
}

#[test]
fn the_list_is_shown_as_author_who_is_named_beside_it() {
    assert_eq!(
        rewritten(
            "Received: x\r\nDKIM-Signature: a=b;\r\n c=d\r\nFrom: \"Ada Lovelace\" <ada@strict.example>\r\n\
             Subject: s\r\n\r\nFrom: body\r\n"
        ),
        "Received: x\r\nFrom: Ada Lovelace via engines <engines@lists.example.org>\r\n\
         Reply-To: \"Ada Lovelace\" <ada@strict.example>\r\n\
         X-Original-From: \"Ada Lovelace\" <ada@strict.example>\r\nSubject: s\r\n\r\nFrom: body\r\n"
    );
}

#[test]
fn where_replies_go_is_the_authors_word() {
    assert_eq!(
        rewritten(
            "from:ada@strict.example\r\nReply-To: team@strict.example\r\nX-Original-From: eve@x.example\r\n\r\n"
        ),
        "From: ada via engines <engines@lists.example.org>\r\n\
         X-Original-From: ada@strict.example\r\nReply-To: team@strict.example\r\n\r\n"
    );
}

#[test]
fn the_authors_name_is_kept_in_each_of_its_forms() {
    for (author, expected) in [
        ("ada@strict.example", "ada via engines <engines@lists.example.org>"),
        ("<ada@strict.example>", "ada via engines <engines@lists.example.org>"),
        ("\"a b\"@strict.example", "a b via engines <engines@lists.example.org>"),
        (
            "Ada <ada@strict.example>, Bob <bob@x.example>",
            "Ada and others via engines <engines@lists.example.org>",
        ),
        ("a@x.example, Bob <b@x.example>", "a and others via engines <engines@lists.example.org>"),
        ("Team: Ada <ada@strict.example>;", "Ada via engines <engines@lists.example.org>"),
        ("Ada (the \\) first) <ada@strict.example>", "Ada via engines <engines@lists.example.org>"),
        ("Joe Q. Public <j@x.example>", "\"Joe Q. Public via engines\" <engines@lists.example.org>"),
        (
            "\"Giant; \\\"Big\\\" Box\" <g@x.example>",
            "\"Giant; \\\"Big\\\" Box via engines\" <engines@lists.example.org>",
        ),
        (
            "=?utf-8?q?J=C3=BCrgen?= <j@x.example>",
            "=?utf-8?q?J=C3=BCrgen?= via engines <engines@lists.example.org>",
        ),
        (
            "=?utf-8?B?w7w=?=\r\n =?utf-8?B?w7w=?= Smith <j@x.example>",
            "=?utf-8?B?w7w=?= =?utf-8?B?w7w=?= Smith via engines <engines@lists.example.org>",
        ),
        ("Jürgen <j@x.example>", "=?utf-8?Q?J=C3=BCrgen_via_engines?= <engines@lists.example.org>"),
        // An encoded word that would end a phrase is no word of one.
        ("=?utf-8?q?<x@y>?= <j@x.example>", "=?utf-8?q? via engines <engines@lists.example.org>"),
        ("nobody", "via engines <engines@lists.example.org>"),
        ("", "via engines <engines@lists.example.org>"),
    ] {
        let shown = from(author);
        if author.contains("<x@y>") {
            // The first `<` ends the name, as it does for every reader.
            assert!(shown.ends_with("<engines@lists.example.org>") && !shown.contains("x@y"), "{shown}");
            continue;
        }
        assert_eq!(shown, expected, "{author}");
    }
}

#[test]
fn what_is_written_is_one_author_by_the_grammar_whatever_came() {
    for author in [
        "\"ceo@bank.example\" <ada@x.example>",
        "ceo@bank.example <ada@x.example>",
        "<a@x.example> <b@x.example>",
        "\"unended <a@x.example>",
        "(unended <a@x.example>",
        "a\\\"<b@x.example>",
        "\"a\r\n b\" <c@x.example>",
        "=?=?=?= <c@x.example>",
        "\"=?utf-8?q?x?=\" <c@x.example>",
        &format!("{} <c@x.example>", "name ".repeat(180)),
        &format!("{} <c@x.example>", "=?utf-8?q?name?= ".repeat(50)),
        &format!("{} <c@x.example>", "ü".repeat(400)),
        &format!("{}@x.example", "c".repeat(64)),
        "\u{202e}drowssap <c@x.example>",
    ] {
        let header = rewritten(&format!("From: {author}\r\n\r\n"));
        let fields: Vec<_> = FieldsOf::new(header.as_bytes()).collect();
        let froms: Vec<_> = fields.iter().filter(|field| field.is(header.as_bytes(), "From")).collect();
        let [from] = froms[..] else { panic!("{header}") };
        assert_eq!(addresses(from.value(header.as_bytes())), Ok(vec![list()]), "{header}");
        assert!(header.split("\r\n").all(|line| line.len() <= 998), "{header}");
    }
}

#[test]
fn a_message_without_an_author_or_with_two_has_one_afterwards() {
    assert_eq!(
        rewritten("Subject: s\r\n\r\ntext"),
        "Subject: s\r\nFrom: via engines <engines@lists.example.org>\r\n\r\ntext"
    );
    assert_eq!(
        rewritten("From: a@x.example\r\nFrom: b@x.example\r\n\r\n"),
        "From: a via engines <engines@lists.example.org>\r\nReply-To: a@x.example\r\n\
         X-Original-From: a@x.example\r\nX-Original-From: b@x.example\r\n\r\n"
    );
}

#[test]
fn a_line_that_was_as_long_as_it_may_be_is_folded_under_its_longer_name() {
    let author = format!(" {} <a@x.example>", "x".repeat(975));
    let header = rewritten(&format!("From:{author}\r\n\r\n"));
    assert!(header.contains(&format!("X-Original-From:\r\n {author}\r\n")), "{header}");
    assert!(header.split("\r\n").all(|line| line.len() <= 998), "{header}");
}

#[test]
fn a_list_whose_address_needs_smtputf8_rewrites_nothing() {
    assert_eq!(with_list_as_author(b"From: a@x.example\r\n\r\n", &"用户@example.org".parse().unwrap()), None);
    let list = "engines@bücher.example".parse().unwrap();
    let header = with_list_as_author(b"From: a@x.example\r\n\r\n", &list).unwrap();
    assert!(String::from_utf8(header).unwrap().contains("<engines@xn--bcher-kva.example>"));
}

#[test]
fn from_is_rewritten_where_the_authors_domain_would_have_the_copies_refused() {
    let of = |wish, is_signed| AuthorDomain { domain: "strict.example".to_owned(), wish, is_signed };
    let checked = |domains: &[AuthorDomain]| Authorship::Checked(domains.to_vec());
    let lax = || of(Some(Wish::Nothing), false);
    let strict = || of(Some(Wish::Reject), false);
    for (authorship, rewritten) in [
        (Authorship::Ours, false),
        (Authorship::Unchecked, true),
        (checked(&[]), false),
        (checked(&[lax()]), false),
        (checked(&[strict()]), true),
        (checked(&[of(Some(Wish::Quarantine), false)]), true),
        (checked(&[of(Some(Wish::Reject), true)]), false),
        (checked(&[of(None, false)]), true),
        (checked(&[of(None, true)]), false),
        (checked(&[lax(), strict()]), true),
    ] {
        let why = |setting| why_rewritten(setting, &authorship);
        assert_eq!(why(FromRewriting::IfNeeded).is_some(), rewritten, "{authorship:?}");
        assert!(why(FromRewriting::Always).is_some() && why(FromRewriting::Never).is_none());
    }
    let why = why_rewritten(FromRewriting::IfNeeded, &checked(&[strict()])).unwrap();
    assert!(why.starts_with("strict.example wants what fails DMARC refused"), "{why}");
}
