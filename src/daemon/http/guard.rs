//! Who may ask: the token, and the defence against web pages of elsewhere.

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, header, uri::Authority};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

use super::error::{HttpError, Refusal};
use super::server::App;

const LEAST_TOKEN_CHARS: usize = 16;
const MOST_TOKEN_CHARS: usize = 256;
/// What a browser, which cannot set headers of a WebSocket, puts before the token in the list of protocols.
pub(super) const TOKEN_PROTOCOL: &str = "fastglow.token.";
/// Paths that tell nothing and do nothing.
const OPEN_PATHS: [&str; 2] = ["/", "/health"];

/// What a client must know. Only its hash is kept.
#[derive(Clone, PartialEq, Eq)]
pub struct Token([u8; 32]);

impl Token {
    /// Reads the token from the first line of a file.
    ///
    /// # Errors
    /// The file cannot be read, or its first line is no token: 16 to 256 letters, digits and `-._~`.
    pub fn read(path: &Path) -> Result<Self, HttpError> {
        let name = || path.display().to_string();
        let text =
            std::fs::read_to_string(path).map_err(|source| HttpError::TokenFile { path: name(), source })?;
        Self::new(text.lines().next().unwrap_or_default().trim()).map_err(|got| HttpError::Token {
            path: name(),
            expected: EXPECTED,
            got,
        })
    }

    /// `Err` tells what the text is instead of a token.
    fn new(text: &str) -> Result<Self, String> {
        let is_usual = |c: char| c.is_ascii_alphanumeric() || "-._~".contains(c);
        let count = text.chars().count();
        if !(LEAST_TOKEN_CHARS..=MOST_TOKEN_CHARS).contains(&count) {
            return Err(format!("{count} characters"));
        }
        if !text.chars().all(is_usual) {
            return Err("other characters".to_owned());
        }
        Ok(Self(Sha256::digest(text).into()))
    }

    /// Compares hashes: how long it takes tells nothing of the token.
    fn is(&self, text: &str) -> bool {
        let given: [u8; 32] = Sha256::digest(text).into();
        self.0.iter().zip(given).fold(0, |difference, (a, b)| difference | (a ^ b)) == 0
    }
}

const EXPECTED: &str = "16 to 256 letters, digits and `-._~`";

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token")
    }
}

/// Lets a request through, or refuses it.
pub(super) async fn guard(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    match check(app.token.as_ref(), request.uri().path(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(refusal) => refusal.into_response(),
    }
}

fn check(token: Option<&Token>, path: &str, headers: &HeaderMap) -> Result<(), Refusal> {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    // A browser tells of which page a request is; other clients send nothing.
    if let Some(origin) = headers.get(header::ORIGIN) {
        let origin = origin.to_str().ok().and_then(|origin| origin.split_once("://"));
        if origin.is_none_or(|(_, authority)| !authority.eq_ignore_ascii_case(host)) {
            return Err(Refusal::Origin);
        }
    }
    match token {
        Some(token) => {
            let is_known = given_tokens(headers).any(|given| token.is(given));
            if is_known || OPEN_PATHS.contains(&path) { Ok(()) } else { Err(Refusal::Token) }
        }
        // A name of elsewhere that leads here is how a page of elsewhere would pass for ours.
        None if host.is_empty() || is_this_machine(host) => Ok(()),
        None => Err(Refusal::Host),
    }
}

fn given_tokens(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let texts = |name| headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    let bearers = texts(header::AUTHORIZATION).filter_map(|value| {
        let (scheme, token) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    });
    let protocols = texts(header::SEC_WEBSOCKET_PROTOCOL)
        .flat_map(|list| list.split(','))
        .filter_map(|protocol| protocol.trim().strip_prefix(TOKEN_PROTOCOL));
    bearers.chain(protocols)
}

fn is_this_machine(host: &str) -> bool {
    let Ok(authority) = host.parse::<Authority>() else { return false };
    let name = authority.host().trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost") || name.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderName;

    fn headers(pairs: &[(HeaderName, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect()
    }

    #[test]
    fn without_a_token_only_this_machine_asks() {
        for host in ["localhost", "LOCALHOST:80", "127.0.0.1:8080", "127.9.9.9", "[::1]:8080", "[::1]"] {
            assert!(check(None, "/metrics", &headers(&[(header::HOST, host)])).is_ok(), "{host}");
        }
        for host in
            ["evil.example", "localhost.evil.example", "192.168.1.2", "127.0.0.1.nip.io", "[::2]", ":"]
        {
            let refusal = check(None, "/metrics", &headers(&[(header::HOST, host)])).unwrap_err();
            assert!(matches!(refusal, Refusal::Host), "{host}");
        }
        assert!(check(None, "/metrics", &HeaderMap::new()).is_ok(), "HTTP/1.0");
    }

    #[test]
    fn a_page_of_elsewhere_is_refused_even_with_the_token() {
        let token = Token::new("0123456789abcdef").unwrap();
        let bearer = (header::AUTHORIZATION, "Bearer 0123456789abcdef");
        let of = |origin| headers(&[(header::HOST, "localhost:1"), (header::ORIGIN, origin), bearer.clone()]);
        for token in [None, Some(&token)] {
            assert!(check(token, "/metrics", &of("http://localhost:1")).is_ok());
            for origin in ["http://evil.example", "http://localhost:2", "null", "localhost:1", ""] {
                assert!(matches!(check(token, "/metrics", &of(origin)), Err(Refusal::Origin)), "{origin}");
            }
        }
    }

    #[test]
    fn the_token_is_taken_from_either_header() {
        let token = Token::new("0123456789abcdef").unwrap();
        let protocol = header::SEC_WEBSOCKET_PROTOCOL;
        for (name, value) in [
            (header::AUTHORIZATION, "Bearer 0123456789abcdef"),
            (header::AUTHORIZATION, "bearer  0123456789abcdef"),
            (protocol.clone(), "fastglow.v1, fastglow.token.0123456789abcdef"),
        ] {
            assert!(check(Some(&token), "/metrics", &headers(&[(name, value)])).is_ok(), "{value}");
        }
        for (name, value) in [
            (header::AUTHORIZATION, "Bearer 0123456789abcdeF"),
            (header::AUTHORIZATION, "Basic 0123456789abcdef"),
            (header::AUTHORIZATION, "0123456789abcdef"),
            (header::AUTHORIZATION, "Bearer"),
            (protocol, "fastglow.token., fastglow.v1"),
        ] {
            let headers = headers(&[(name, value)]);
            assert!(matches!(check(Some(&token), "/metrics", &headers), Err(Refusal::Token)), "{value}");
            assert!(check(Some(&token), "/health", &headers).is_ok());
        }
    }

    #[test]
    fn a_token_file_is_read_or_says_why_not() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("token");
        assert!(matches!(Token::read(&path), Err(HttpError::TokenFile { .. })));
        std::fs::write(&path, "0123456789abcdef\n").unwrap();
        let token = Token::read(&path).unwrap();
        assert!(token.is("0123456789abcdef") && !token.is("0123456789abcdef ") && !token.is(""));
        for (text, got) in
            [("", "0 characters"), ("short", "5 characters"), ("sixteen letters!", "other characters")]
        {
            std::fs::write(&path, text).unwrap();
            let error = Token::read(&path).unwrap_err().to_string();
            assert!(error.ends_with(&format!("got {got}")), "{error}");
            assert!(text.is_empty() || !error.contains(text), "it never tells the token");
        }
    }
}
