//! Mailing lists by the control protocol.

use super::*;

#[test]
fn a_list_is_closed_until_it_is_opened_and_changes_part_by_part() {
    let fixture = Fixture::new();
    let mut client = fixture.remote();
    client.done(account("ada@example.org"));
    let put = |put, change| DirectoryRequest::ListPut { put, address: "Team@example.org".to_owned(), change };
    let ownerless = client.refused(put(PutMode::New, ListChange::default()));
    assert!(ownerless.text.contains("--owner"), "{}", ownerless.text);
    client.done(list("Team@example.org", &["Bob@Example.net", "bob@example.net", "eve@example.net"]));
    let show = |client: &mut Client| {
        let request =
            DirectoryRequest::Address { address: "team@example.org".to_owned(), kind: AddressFilter::List };
        client.directory(request).unwrap()
    };
    let text = serde_json::to_string(&show(&mut client)).unwrap();
    assert_eq!(
        text,
        r#"{"address":{"address":"team@example.org","kind":"list","owner":"ada@example.org","member_count":2,"posters":"members","bounces":"verp","description":"","expandable":"never","from":"if_needed"}}"#
    );
    let change = ListChange {
        posters: Some(PosterRule::Listed(strings(&["eve@example.net"]))),
        description: Some("The team".to_owned()),
        ..ListChange::default()
    };
    client.done(put(PutMode::Replace, change));
    let text = serde_json::to_string(&show(&mut client)).unwrap();
    assert!(
        text.contains(r#""posters":{"listed":["eve@example.net"]}"#) && text.contains("The team"),
        "{text}"
    );
    assert_eq!(members(&mut client, "team@example.org"), ["Bob@Example.net", "eve@example.net"]);
    let own = ListChange { owner: Some("TEAM@example.org".to_owned()), ..ListChange::default() };
    assert_eq!(client.refused(put(PutMode::Replace, own)).kind, ErrorKind::BadValue);
    let header = ListChange { description: Some("x\r\nBcc: y".to_owned()), ..ListChange::default() };
    assert_eq!(client.refused(put(PutMode::Replace, header)).kind, ErrorKind::BadValue);
}

#[test]
fn thousands_join_and_leave_at_once_or_not_at_all() {
    let fixture = Fixture::new();
    let mut client = fixture.remote();
    client.done(account("ada@example.org"));
    client.done(list("team@example.org", &["first@example.net"]));
    let many: Vec<String> = (0..5000).map(|number| format!("member{number}@example.net")).collect();
    let change = |add: &[String], remove: &[String]| DirectoryRequest::MembersChange {
        list: "team@example.org".to_owned(),
        add: add.to_vec(),
        remove: remove.to_vec(),
    };
    let mut with_a_wrong_one = many.clone();
    with_a_wrong_one.push("no address".to_owned());
    assert_eq!(client.refused(change(&with_a_wrong_one, &[])).kind, ErrorKind::BadValue);
    assert_eq!(members(&mut client, "team@example.org").len(), 1);

    let response = client.directory(change(&many, &[])).unwrap();
    let DirectoryResponse::MembersChanged { changed, unchanged, member_count, .. } = response else {
        panic!()
    };
    assert_eq!((changed, unchanged, member_count), (5000, 0, 5001));
    // More than a page.
    assert_eq!(members(&mut client, "team@example.org")[1..], many);

    let response = client.directory(change(&many[..2], &many[1..4])).unwrap_err();
    assert_eq!(response.kind, ErrorKind::BadValue, "one of them would join and leave");
    let leaving = strings(&["MEMBER3@example.net", "nobody@example.net"]);
    let response = client.directory(change(&many[..2], &leaving)).unwrap();
    let DirectoryResponse::MembersChanged { changed, unchanged, unchanged_first, member_count, .. } =
        response
    else {
        panic!()
    };
    assert_eq!((changed, unchanged, member_count), (1, 3, 5000));
    assert_eq!(unchanged_first, ["nobody@example.net", "member0@example.net", "member1@example.net"]);
}

#[test]
fn two_who_change_a_list_at_the_same_moment_both_have_their_way() {
    let fixture = Fixture::new();
    let mut client = fixture.remote();
    client.done(account("ada@example.org"));
    client.done(list("team@example.org", &[]));
    std::thread::scope(|scope| {
        for who in 0..8 {
            let mut client = fixture.remote();
            scope.spawn(move || {
                for number in 0..10 {
                    let member = format!("m{who}-{number}@example.net");
                    client.directory(members_change("team@example.org", &[&member], &[])).unwrap();
                }
            });
        }
    });
    assert_eq!(members(&mut client, "team@example.org").len(), 80);
}
