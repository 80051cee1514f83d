//! What two texts share, and how names sound.

use super::*;

#[tokio::test]
async fn shares_of_words_and_pieces() {
    let ctx = context();
    for (a, b, overlap, jaccard, pieces) in [
        ("'red apple'", "'apple pie red hot'", "1.0", "0.5", "0.4375"),
        ("'a b a b'", "'b  a'", "1.0", "1.0", "0.4"),
        ("'night'", "'nacht'", "0.0", "0.0", "0.14285714285714285"),
        ("'Straße'", "'straße'", "0.0", "0.0", "0.6666666666666666"),
        ("''", "''", "1.0", "1.0", "1.0"),
        ("' '", "'a'", "0.0", "0.0", "0.0"),
        ("'a'", "'a'", "1.0", "1.0", "1.0"),
        ("NULL", "'a'", "NULL", "NULL", "NULL"),
        ("arrow_cast('a b', 'LargeUtf8')", "arrow_cast('b', 'Utf8View')", "1.0", "0.5", "0.0"),
    ] {
        check("token_overlap", &[a, b], overlap).await;
        check("token_jaccard", &[a, b], jaccard).await;
        for (a, b) in [(a, b), (b, a)] {
            assert_eq!(value(&ctx, &format!("SELECT qgram_jaccard({a}, {b}, 2)")).await, pieces, "{a} {b}");
        }
    }
    assert_eq!(value(&ctx, "SELECT qgram_jaccard('abcd', 'bcde', 3)").await, "0.3333333333333333");
    for (q, told) in [("0", "is 0"), ("9", "is 9"), ("'2'", "is text"), ("x", "is no constant")] {
        let expected =
            format!("error: qgram_jaccard: the third argument {told}; it has to be a whole number from 1 to 8");
        let call = format!("SELECT qgram_jaccard('a', 'b', {q}) FROM (VALUES (2), (3)) AS t(x)");
        assert_eq!(value(&ctx, &call).await, expected);
    }
}

#[tokio::test]
async fn names_that_sound_alike() {
    for (name, soundex, primary, alternate) in [
        ("'Robert'", "R163", "RPRT", "RPRT"),
        ("'Rupert'", "R163", "RPRT", "RPRT"),
        ("'Ashcraft'", "A261", "AXKR", "AXKR"),
        ("'Tymczak'", "T522", "TMSK", "TMXK"),
        ("'Smith'", "S530", "SM0", "XMT"),
        ("'Schmidt'", "S530", "XMT", "SMT"),
        ("'Müller'", "M460", "MLR", "MLR"),
        ("'MULLER & Co 17'", "M462", "MLRK", "MLRK"),
        ("'Ёлка'", "", "", ""),
        ("'東京'", "", "", ""),
        ("''", "", "", ""),
        ("NULL", "NULL", "NULL", "NULL"),
    ] {
        check("soundex", &[name], soundex).await;
        check("dmetaphone", &[name], primary).await;
        check("dmetaphone_alt", &[name], alternate).await;
    }
}
