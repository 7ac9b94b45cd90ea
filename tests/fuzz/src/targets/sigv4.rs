//! Signatures, against the signer of the AWS SDK for Rust: the comparison is that of the tests.

use libfuzzer_sys::arbitrary::{Result, Unstructured};

#[path = "../../../../backends/tests/signing/oracle.rs"]
mod oracle;
#[path = "../../../../backends/tests/signing/sample.rs"]
mod sample;

use sample::Sample;

pub fn run(data: &[u8]) {
    if let Ok(sample) = sample(&mut Unstructured::new(data)) {
        assert_eq!(sample.ours(), sample.theirs());
    }
}

fn sample(from: &mut Unstructured<'_>) -> Result<Sample> {
    let printable =
        |text: String| text.chars().filter(|c| (' '..='~').contains(c)).collect::<String>();
    let graphic = |text: String| text.chars().filter(char::is_ascii_graphic).collect::<String>();
    let mut query = Vec::new();
    for _ in 0..from.int_in_range(0..=4)? {
        let (name, value): (String, String) = from.arbitrary()?;
        if !name.is_empty() {
            query.push((name, value));
        }
    }
    let mut headers = Vec::new();
    for _ in 0..from.int_in_range(0..=4)? {
        let name = format!("x-amz-meta-{}", from.choose(&["a", "b", "ab", "b-"])?);
        headers.push((name, printable(from.arbitrary()?)));
    }
    Ok(Sample {
        query,
        headers,
        token: from.arbitrary::<Option<String>>()?.map(graphic).filter(|it| !it.is_empty()),
        body: from.arbitrary()?,
        unix_seconds: from.int_in_range(0..=4_102_444_800)?,
        secret: format!("s{}", graphic(from.arbitrary()?)),
        key: from.arbitrary()?,
        method: from.choose(&["GET", "PUT", "POST", "DELETE", "HEAD"])?,
        region: "eu-west-1".to_owned(),
    })
}
