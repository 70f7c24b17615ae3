//! Tables

use tenure_import::{ImportError, Options, Source};

use crate::run::{changes_of, held, landscape, text, try_files};

const TABLE: &str = "\
time,action,principal,role_collection,role,level,until,actor,reason,source
2026-02-01,grant,ada@acme.example,Subaccount Viewer,,subaccount:dev,2026-06-01,root@acme.example,joins the team,HR
2026-02-02 14:00,grant,group:corp/Admins,Orders Team,,subaccount:dev,,,,
2026-02-03T10:00:00+02:00,revoke,ada@acme.example,Subaccount Viewer,,subaccount:dev,,UNKNOWN_USER,,
";

#[test]
fn a_table_of_grants_and_revokes() {
    let mut memory = landscape();
    let summary = text(&mut memory, Source::Csv, TABLE, &Options::default());
    assert_eq!((summary.records.read, summary.records.applied), (3, 3), "{summary:#?}");
    let ada = "user:sap.default/ada@acme.example: Subaccount Viewer";
    assert_eq!(held(&mut memory, "subaccount:dev", "2026-02-02T00:00:00Z"), [ada]);
    // A role collection that nothing defines is kept by its name.
    let group = "group:corp/Admins: Orders Team";
    assert_eq!(held(&mut memory, "subaccount:dev", "2026-02-03T07:59:59Z"), [group, ada]);
    assert_eq!(held(&mut memory, "subaccount:dev", "2026-02-03T08:00:00Z"), [group]);
    let grant = &changes_of(&memory, "grant")[0];
    assert_eq!(grant["until"], "2026-06-01T00:00:00Z");
    assert_eq!(grant["reason"], "HR: joins the team");
    assert_eq!(grant["actor"], "user:sap.default/root@acme.example");
    assert_eq!(changes_of(&memory, "revoke")[0]["actor"], "client:csv/UNKNOWN_USER");
    // Other columns first, semicolons, a byte order mark and UTF-16 say the same.
    let other = "\u{feff}principal;level;action;time;role_collection;until;actor;reason;source\r\n\
                 ada@acme.example;subaccount:dev;grant;2026-02-01;Subaccount Viewer;2026-06-01;root@acme.example;joins the team;HR\r\n";
    let again = text(&mut memory, Source::Csv, other, &Options::default());
    assert_eq!((again.entries.duplicate, again.records.known), (1, 1), "{again:#?}");
    let wide: Vec<u8> = other.encode_utf16().flat_map(u16::to_be_bytes).collect();
    let again =
        try_files(&mut memory, Source::Csv, &[("wide", &wide)], &Options::default()).unwrap();
    assert_eq!(again.entries.duplicate, 1);
    let odd = wide.get(..wide.len() - 1).unwrap();
    let error = try_files(&mut memory, Source::Csv, &[("wide", odd)], &Options::default());
    assert!(matches!(error.unwrap_err(), ImportError::Read { .. }));
}

#[test]
fn rows_that_cannot_be_used_are_told_by_their_lines() {
    let mut memory = landscape();
    let rows = "time,action,level,role_collection,role,principal,until\n\
                yesterday,grant,subaccount:dev,Subaccount Viewer,,a@acme.example,\n\
                2026-02-01,give,subaccount:dev,Subaccount Viewer,,a@acme.example,\n\
                2026-02-01,grant,subaccount:dev,Subaccount Viewer,x/y,a@acme.example,\n\
                2026-02-01,revoke,subaccount:dev,Subaccount Viewer,,a@acme.example,2026-03-01\n\
                2026-02-01,grant,subaccount:dev\n\
                2026-02-01,grant,subaccount:gone,Subaccount Viewer,,a@acme.example,\n\
                2026-02-01,grant,subaccount:dev,Subaccount Viewer,,a@acme.example,\n";
    let summary = text(&mut memory, Source::Csv, rows, &Options::default());
    let bad: Vec<_> = summary.bad.listed.iter().map(|at| at.place.to_string()).collect();
    assert_eq!(bad, ["line 2", "line 3", "line 4", "line 5", "line 6"], "{:#?}", summary.bad);
    assert_eq!((summary.records.refused, summary.records.applied), (1, 1));
    assert_eq!(summary.entries.refusals[0].place.to_string(), "line 7");
    assert!(summary.is_incomplete());
    let options = Options { strict: true, ..Options::default() };
    let error = try_files(&mut memory, Source::Csv, &[("rows", rows.as_bytes())], &options);
    assert!(matches!(error.unwrap_err(), ImportError::Bad(at) if at.place.number == 2));
    for (header, missing) in [
        ("time,action,level,principal\n", "`role_collection` and no column `role`"),
        ("time,action,level,role\n", "`principal`"),
        ("time,action,level,role,principal,note\n", "`note` is none of"),
    ] {
        let error = try_files(
            &mut memory,
            Source::Csv,
            &[("table.csv", header.as_bytes())],
            &Options::default(),
        );
        let error = error.unwrap_err().to_string();
        assert!(error.contains(missing) && error.contains("table.csv"), "{error}");
    }
}
