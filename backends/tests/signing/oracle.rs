//! The signer of the AWS SDK for Rust, set up as S3 wants it.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    PercentEncodingMode, SignableBody, SignableRequest, SigningInstructions, SigningSettings,
    UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4;

/// The host that all requests go to.
pub const HOST: &str = "bucket.s3.example:9000";

/// Who signs, where and when.
pub struct Signer<'a> {
    pub secret: &'a str,
    pub token: Option<&'a str>,
    pub region: &'a str,
    pub unix_seconds: u64,
}

impl Signer<'_> {
    /// What the SDK adds to a request to [`HOST`]. S3 encodes a path once and removes no dots.
    pub fn sign<'a>(
        &self,
        method: &'a str,
        uri: String,
        headers: impl Iterator<Item = (&'a str, &'a str)>,
        body: SignableBody<'a>,
        change: impl FnOnce(&mut SigningSettings),
    ) -> SigningInstructions {
        let mut settings = SigningSettings::default();
        settings.percent_encoding_mode = PercentEncodingMode::Single;
        settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        change(&mut settings);
        let token = self.token.map(str::to_owned);
        let identity = Credentials::new("AKID", self.secret, token, None, "test").into();
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(self.region)
            .name("s3")
            .time(SystemTime::UNIX_EPOCH + Duration::from_secs(self.unix_seconds))
            .settings(settings)
            .build()
            .unwrap()
            .into();
        let request = SignableRequest::new(method, uri, headers, body).unwrap();
        sign(request, &params).unwrap().into_parts().0
    }
}
