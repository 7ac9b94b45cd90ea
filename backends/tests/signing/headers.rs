//! The signer against the signer of the AWS SDK for Rust, on random requests.

use proptest::prelude::*;

use crate::sample::Sample;

/// Keys as S3 allows them: any text but an unpaired surrogate, with what paths trip over made
/// common.
fn key() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        any::<String>(),
        prop::sample::select(vec![
            "/", "//", ".", "..", "/./", " ", "+", "%", "%41", "?", "#", "\n", "é"
        ])
        .prop_map(str::to_owned),
        "[a-z]{1,6}",
    ];
    prop::collection::vec(piece, 1..6).prop_map(|pieces| pieces.concat())
}

fn header() -> impl Strategy<Value = (String, String)> {
    // Printable ASCII, blanks at the ends and in runs: what the rules for values are about.
    ("x-amz-meta-[a-d]{1,2}", "[ ]{0,3}[!-~]{0,5}[ ]{0,3}[!-~]{0,5}[ ]{0,2}")
}

fn sample() -> impl Strategy<Value = Sample> {
    (
        prop::sample::select(vec!["GET", "PUT", "POST", "DELETE", "HEAD"]),
        key(),
        prop::collection::vec((any::<String>(), any::<String>()), 0..5)
            .prop_map(|pairs| pairs.into_iter().filter(|(key, _)| !key.is_empty()).collect()),
        prop::collection::vec(header(), 0..6),
        prop::option::of(prop::collection::vec(any::<u8>(), 0..64)),
        prop::option::of("[A-Za-z0-9+/=]{1,80}"),
        "[A-Za-z0-9+/]{1,80}",
        "[a-z]{2}-[a-z]{4}-[1-9]",
        0..4_102_444_800u64,
    )
        .prop_map(
            |(method, key, query, headers, body, token, secret, region, unix_seconds)| Sample {
                method,
                key,
                query,
                headers,
                body,
                token,
                secret,
                region,
                unix_seconds,
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn both_signers_agree(sample in sample()) {
        prop_assert_eq!(sample.ours(), sample.theirs());
    }
}
