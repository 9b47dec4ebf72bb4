use super::*;
use proptest::prelude::*;
use serde_json::json;

fn refusal(text: &str) -> Malformed {
    read_value(text.as_bytes()).unwrap_err()
}

fn canonical(text: &str) -> String {
    let value: Value = serde_json::from_str(text).unwrap();
    String::from_utf8(to_bytes(&value).unwrap()).unwrap()
}

/// RFC 8785 section 3.2.2 and 3.2.3, the example that runs through them.
#[test]
fn the_example_of_the_rfc() {
    let input = r#"{
        "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
        "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
        "literals": [null, true, false]
    }"#;
    assert_eq!(
        canonical(input),
        concat!(
            r#"{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"#,
            r#""string":"€$\u000f\nA'B\"\\\\\"/"}"#
        )
    );
}

/// RFC 8785 section 3.2.3: keys are sorted by UTF-16 code units.
#[test]
fn keys_are_in_the_order_of_the_rfc() {
    let input = r#"{
        "\u20ac": "Euro Sign", "\r": "Carriage Return", "\ufb33": "Hebrew Letter Dalet With Dagesh",
        "1": "One", "\ud83d\ude00": "Emoji: Grinning Face", "\u0080": "Control",
        "\u00f6": "Latin Small Letter O With Diaeresis"
    }"#;
    let canonical = canonical(input);
    let order = ["Carriage", "One", "Control", "Latin", "Euro", "Emoji", "Hebrew"];
    let places: Vec<usize> = order.iter().map(|name| canonical.find(name).unwrap()).collect();
    assert!(places.is_sorted(), "{canonical}");
}

/// RFC 8785 appendix B, except for the values that are refused here.
#[test]
fn numbers_are_written_as_in_the_rfc() {
    for (bits, text) in [
        (0x0000_0000_0000_0000_u64, "0"),
        (0x8000_0000_0000_0000, "0"),
        (0x0000_0000_0000_0001, "5e-324"),
        (0x8000_0000_0000_0001, "-5e-324"),
        (0x7fef_ffff_ffff_ffff, "1.7976931348623157e+308"),
        (0xffef_ffff_ffff_ffff, "-1.7976931348623157e+308"),
        (0x4430_0000_0000_0000, "295147905179352830000"),
        (0x44b5_2d02_c7e1_4af5, "9.999999999999997e+22"),
        (0x44b5_2d02_c7e1_4af6, "1e+23"),
        (0x44b5_2d02_c7e1_4af7, "1.0000000000000001e+23"),
        (0x444b_1ae4_d6e2_ef4e, "999999999999999700000"),
        (0x444b_1ae4_d6e2_ef4f, "999999999999999900000"),
        (0x444b_1ae4_d6e2_ef50, "1e+21"),
        (0x3eb0_c6f7_a0b5_ed8c, "9.999999999999997e-7"),
        (0x3eb0_c6f7_a0b5_ed8d, "0.000001"),
        (0x41b3_de43_5555_5553, "333333333.3333332"),
        (0x41b3_de43_5555_5554, "333333333.33333325"),
        (0x41b3_de43_5555_5555, "333333333.3333333"),
        (0x41b3_de43_5555_5556, "333333333.3333334"),
        (0x41b3_de43_5555_5557, "333333333.33333343"),
        (0xbecb_f647_612f_3696, "-0.0000033333333333333333"),
        (0x4314_3ff3_c1cb_0959, "1424953923781206.2"),
        (0x4340_0000_0000_0000, "9007199254740992"),
        (0xc340_0000_0000_0000, "-9007199254740992"),
    ] {
        let number = f64::from_bits(bits);
        let beyond = (GREATEST as f64) < number.abs() && number.abs() < 1e21;
        match to_bytes(&number) {
            Ok(bytes) => assert!(!beyond && bytes == text.as_bytes(), "{text}"),
            Err(error) => assert!(beyond && matches!(error, CanonicalError::NumberTooGreat { .. }), "{text}: {error}"),
        }
    }
    assert!(matches!(to_bytes(&f64::NAN), Ok(bytes) if bytes == b"null"));
}

#[test]
fn no_integer_is_rounded() {
    assert_eq!(
        to_bytes(&json!([GREATEST, -9_007_199_254_740_991_i64])).unwrap(),
        b"[9007199254740991,-9007199254740991]"
    );
    for value in [json!(GREATEST + 1), json!({ "a": [u64::MAX] }), json!(i64::MIN), json!(9_007_199_254_740_993_u64)] {
        let refusal = to_bytes(&value).unwrap_err();
        assert!(matches!(refusal, CanonicalError::NumberTooGreat { .. }), "{value}");
    }
    for text in ["9007199254740993", "-9007199254740992", "123456789012345678901234567890", "9.1e15", "1e30"] {
        assert!(matches!(refusal(text), Malformed::NumberTooGreat { .. }), "{text}");
        assert!(refusal(&format!("{{\"deep\":[{text}]}}")).to_string().contains("as strings"), "{text}");
    }
}

#[test]
fn an_object_says_a_thing_once() {
    for text in [r#"{"a":1,"a":1}"#, r#"{"b":{"a":1,"\u0061":2}}"#, r#"[{"a":null,"b":0,"a":null}]"#] {
        assert!(matches!(refusal(text), Malformed::DuplicateKey { key } if key == "a"), "{text}");
    }
    // What is quoted in a refusal is short, for it goes into the log.
    let long = "k".repeat(10_000);
    assert!(refusal(&format!(r#"{{"{long}":1,"{long}":1}}"#)).to_string().len() < 120);
}

#[test]
fn nesting_has_an_end() {
    let nested = |open: &str, close: &str, depth: usize| format!("{}{}", open.repeat(depth), close.repeat(depth));
    assert!(read_value(nested("[", "]", 32).as_bytes()).is_ok());
    for depth in [33, 200, 100_000] {
        assert!(matches!(refusal(&nested("[", "]", depth)), Malformed::TooDeep), "{depth}");
    }
    let objects = |depth: usize| format!("{}{{}}{}", r#"{"a":"#.repeat(depth - 1), "}".repeat(depth - 1));
    assert!(read_value(objects(32).as_bytes()).is_ok());
    assert!(matches!(refusal(&objects(33)), Malformed::TooDeep));
}

#[test]
fn a_shape_is_exact() {
    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Point {
        #[expect(dead_code, reason = "only whether it is read matters")]
        x: u8,
    }
    assert!(read::<Point>(br#"{"x":1}"#, "a point").is_ok());
    for (text, named) in [(r#"{"x":1,"y":2}"#, "`y`"), ("{}", "`x`"), (r#"{"x":"1"}"#, "string"), ("[]", "point")] {
        match read::<Point>(text.as_bytes(), "a point").unwrap_err() {
            Malformed::Shape { what, source } => {
                assert_eq!(what, "a point");
                assert!(source.to_string().contains(named) || named == "point", "{source}");
            }
            other => panic!("{text}: {other}"),
        }
    }
    for text in ["", "{", "{}{}", "nul", "{\"x\":1}x", "\u{feff}{}", "[1,]"] {
        assert!(matches!(refusal(text), Malformed::Syntax(_)), "{text:?}");
    }
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-9_007_199_254_740_991_i64..=9_007_199_254_740_991).prop_map(Value::from),
        (-1e15_f64..1e15).prop_map(Value::from),
        "\\PC{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map("\\PC{0,4}", inner, 0..5)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn a_canonical_form_is_read_back_and_is_its_own(value in value()) {
        let bytes = to_bytes(&value).unwrap();
        let read = read_value(&bytes).unwrap();
        prop_assert_eq!(to_bytes(&read).unwrap(), bytes);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(value) = read_value(&bytes) {
            prop_assert!(to_bytes(&value).is_ok());
        }
    }

    #[test]
    fn no_text_like_json_makes_it_panic(text in "[\\[\\]{}:,\"a0-9eE.+-]{0,60}") {
        if let Ok(value) = read_value(text.as_bytes()) {
            prop_assert!(to_bytes(&value).is_ok());
        }
    }
}
