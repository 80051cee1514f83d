#![allow(clippy::unwrap_used)]
use super::*;

#[test]
fn encodings_are_recognised() {
    let utf16 = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    let swapped = |text: &str| text.encode_utf16().flat_map(u16::to_be_bytes).collect::<Vec<u8>>();
    let guess = |encoding, settled, skip| EncodingGuess { encoding, settled, skip };
    let cases: [(Vec<u8>, EncodingGuess); 10] = [
        (b"plain".to_vec(), guess(Encoding::Utf8, false, 0)),
        ("M\u{fc}ller".into(), guess(Encoding::Utf8, false, 0)),
        (b"\xEF\xBB\xBFa".to_vec(), guess(Encoding::Utf8, true, 3)),
        (b"M\xFCller".to_vec(), guess(Encoding::Windows1252, false, 0)),
        ("M\u{fc}ller".bytes().chain(*b" \xFC ").collect(), guess(Encoding::Utf8, true, 0)),
        ([b"\xFF\xFE".to_vec(), utf16("a,b")].concat(), guess(Encoding::Utf16Le, true, 2)),
        ([b"\xFE\xFF".to_vec(), swapped("a,b")].concat(), guess(Encoding::Utf16Be, true, 2)),
        (utf16("id,name\n1,M\u{fc}ller\n"), guess(Encoding::Utf16Le, true, 0)),
        (swapped("id,name\n1,M\u{fc}ller\n"), guess(Encoding::Utf16Be, true, 0)),
        // A head that ends within a character.
        ("Z\u{fc}rich \u{20ac}".as_bytes()[..10].to_vec(), guess(Encoding::Utf8, false, 0)),
    ];
    for (head, expected) in cases {
        assert_eq!(EncodingGuess::of(&head, None), expected, "{head:?}");
    }
    let by_hand = EncodingGuess::of(b"M\xFCller", Some(Encoding::Utf8));
    assert_eq!(by_hand, guess(Encoding::Utf8, true, 0));
}

#[test]
fn utf8_is_seen_across_pieces() {
    for piece in 1..6 {
        let mut transcoder =
            Transcoder::new(EncodingGuess { encoding: Encoding::Windows1252, settled: false, skip: 0 }).unwrap();
        let mut out = [0; 64];
        let text = "a\u{20ac}b".as_bytes();
        let found = text.chunks(piece).any(|raw| transcoder.decode(raw, false, &mut out).is_err());
        assert!(found, "pieces of {piece}");
        let mut transcoder =
            Transcoder::new(EncodingGuess { encoding: Encoding::Windows1252, settled: false, skip: 0 }).unwrap();
        let found =
            b"M\xFCller \xE9t\xE9 \x80".chunks(piece).any(|raw| transcoder.decode(raw, false, &mut out).is_err());
        assert!(!found, "pieces of {piece}");
    }
}

#[test]
fn encodings_in_words() {
    let all = [Encoding::Utf8, Encoding::Utf16Le, Encoding::Utf16Be, Encoding::Windows1252];
    for encoding in all {
        assert_eq!(encoding.to_string().parse::<Encoding>().unwrap(), encoding);
        assert_eq!(serde_json::to_value(encoding).unwrap(), encoding.to_string());
    }
    assert_eq!("Latin-1".parse::<Encoding>().unwrap(), Encoding::Windows1252);
    assert!("ebcdic".parse::<Encoding>().unwrap_err().contains("is not an encoding"));
}
