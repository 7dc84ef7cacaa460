//! The platform's own errors towards visitors: stable codes that are never confused with a function's answer.

/// What went wrong while a visitor's request was answered. The code stands in `x-ship-error` and in the body.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum PlatformError {
    /// The function did not answer in its time.
    FunctionInvocationTimeout,
    /// The function exited, crashed or could not be started before it answered.
    FunctionInvocationFailed,
    /// The function closed the connection without an answer.
    NoResponseFromFunction,
    /// The function's answer is not HTTP.
    InvalidFunctionResponse,
    /// The function that decides whether requests go on has failed, so this one does not.
    MiddlewareInvocationFailed,
    /// The function that decides whether requests go on did not answer in its time.
    MiddlewareInvocationTimeout,
    /// All instances are busy and the queue is full.
    FunctionThrottled,
    /// The function used more memory than it may.
    FunctionOutOfMemory,
    /// No deployment answers at this host name.
    DeploymentNotFound,
    /// The site has nothing at this path.
    NotFound,
    /// The request's body is larger than allowed.
    PayloadTooLarge,
    /// The request's body did not come in its time.
    RequestTimeout,
    /// The request line, the host or a header cannot be read.
    MalformedRequest,
    /// An asset does not take this method.
    MethodNotAllowed,
    /// A stored blob's bytes are not those of its digest.
    BlobCorrupt,
    /// The request passed this host too often.
    InfiniteLoopDetected,
    /// The disk is full.
    StorageFull,
    /// A route's pattern needed more steps than allowed.
    RoutePatternExhausted,
    /// A route leads to another host that does not answer in HTTP, or broke off.
    ExternalTargetError,
    /// A route leads to another host that takes no connection.
    ExternalTargetConnectionError,
    /// A route leads to another host whose certificate is not trusted, or that speaks no TLS.
    ExternalTargetHandshakeError,
    /// A route leads to another host that did not answer in its time.
    ExternalTargetTimeout,
    /// A route leads to a host name that has no address.
    DnsHostnameNotFound,
    /// A route leads to a host that is not part of the public internet.
    DnsHostnameResolvedPrivate,
    /// The site is protected, and the request shows nothing that opens it.
    AuthenticationRequired,
    /// There were too many wrong passwords.
    TooManyAttempts,
    /// A fault of the host itself.
    Internal,
}

impl PlatformError {
    /// All of them, in the order of their declaration.
    pub const ALL: [Self; 27] = [
        Self::FunctionInvocationTimeout,
        Self::FunctionInvocationFailed,
        Self::NoResponseFromFunction,
        Self::InvalidFunctionResponse,
        Self::MiddlewareInvocationFailed,
        Self::MiddlewareInvocationTimeout,
        Self::FunctionThrottled,
        Self::FunctionOutOfMemory,
        Self::DeploymentNotFound,
        Self::NotFound,
        Self::PayloadTooLarge,
        Self::RequestTimeout,
        Self::MalformedRequest,
        Self::MethodNotAllowed,
        Self::BlobCorrupt,
        Self::InfiniteLoopDetected,
        Self::StorageFull,
        Self::RoutePatternExhausted,
        Self::ExternalTargetError,
        Self::ExternalTargetConnectionError,
        Self::ExternalTargetHandshakeError,
        Self::ExternalTargetTimeout,
        Self::DnsHostnameNotFound,
        Self::DnsHostnameResolvedPrivate,
        Self::AuthenticationRequired,
        Self::TooManyAttempts,
        Self::Internal,
    ];

    /// The stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::FunctionInvocationTimeout => "FUNCTION_INVOCATION_TIMEOUT",
            Self::FunctionInvocationFailed => "FUNCTION_INVOCATION_FAILED",
            Self::NoResponseFromFunction => "NO_RESPONSE_FROM_FUNCTION",
            Self::InvalidFunctionResponse => "INVALID_FUNCTION_RESPONSE",
            Self::MiddlewareInvocationFailed => "MIDDLEWARE_INVOCATION_FAILED",
            Self::MiddlewareInvocationTimeout => "MIDDLEWARE_INVOCATION_TIMEOUT",
            Self::FunctionThrottled => "FUNCTION_THROTTLED",
            Self::FunctionOutOfMemory => "FUNCTION_OUT_OF_MEMORY",
            Self::DeploymentNotFound => "DEPLOYMENT_NOT_FOUND",
            Self::NotFound => "NOT_FOUND",
            Self::PayloadTooLarge => "PAYLOAD_TOO_LARGE",
            Self::RequestTimeout => "REQUEST_TIMEOUT",
            Self::MalformedRequest => "MALFORMED_REQUEST",
            Self::MethodNotAllowed => "METHOD_NOT_ALLOWED",
            Self::BlobCorrupt => "BLOB_CORRUPT",
            Self::InfiniteLoopDetected => "INFINITE_LOOP_DETECTED",
            Self::StorageFull => "STORAGE_FULL",
            Self::RoutePatternExhausted => "ROUTE_PATTERN_EXHAUSTED",
            Self::ExternalTargetError => "ROUTER_EXTERNAL_TARGET_ERROR",
            Self::ExternalTargetConnectionError => "ROUTER_EXTERNAL_TARGET_CONNECTION_ERROR",
            Self::ExternalTargetHandshakeError => "ROUTER_EXTERNAL_TARGET_HANDSHAKE_ERROR",
            Self::ExternalTargetTimeout => "ROUTER_EXTERNAL_TARGET_TIMEOUT",
            Self::DnsHostnameNotFound => "DNS_HOSTNAME_NOT_FOUND",
            Self::DnsHostnameResolvedPrivate => "DNS_HOSTNAME_RESOLVED_PRIVATE",
            Self::AuthenticationRequired => "AUTHENTICATION_REQUIRED",
            Self::TooManyAttempts => "TOO_MANY_ATTEMPTS",
            Self::Internal => "INTERNAL_ERROR",
        }
    }

    /// The HTTP status.
    pub const fn status(self) -> u16 {
        match self {
            Self::MalformedRequest => 400,
            Self::AuthenticationRequired => 401,
            Self::DeploymentNotFound | Self::NotFound | Self::DnsHostnameResolvedPrivate => 404,
            Self::MethodNotAllowed => 405,
            Self::RequestTimeout => 408,
            Self::PayloadTooLarge => 413,
            Self::TooManyAttempts => 429,
            Self::FunctionInvocationFailed
            | Self::MiddlewareInvocationFailed
            | Self::FunctionOutOfMemory
            | Self::BlobCorrupt
            | Self::RoutePatternExhausted
            | Self::Internal => 500,
            Self::NoResponseFromFunction
            | Self::InvalidFunctionResponse
            | Self::ExternalTargetError
            | Self::ExternalTargetConnectionError
            | Self::ExternalTargetHandshakeError
            | Self::DnsHostnameNotFound => 502,
            Self::FunctionThrottled => 503,
            Self::FunctionInvocationTimeout | Self::MiddlewareInvocationTimeout | Self::ExternalTargetTimeout => 504,
            Self::StorageFull => 507,
            Self::InfiniteLoopDetected => 508,
        }
    }

    /// One sentence for the visitor, safe to show to anybody.
    pub const fn message(self) -> &'static str {
        match self {
            Self::FunctionInvocationTimeout => "The function did not answer in its time.",
            Self::FunctionInvocationFailed => "The function failed or could not be started.",
            Self::NoResponseFromFunction => "The function closed the connection without an answer.",
            Self::InvalidFunctionResponse => "The function's answer is not valid HTTP.",
            Self::MiddlewareInvocationFailed => "The middleware of this site failed, so the request was not answered.",
            Self::MiddlewareInvocationTimeout => "The middleware of this site did not answer in its time.",
            Self::FunctionThrottled => "All instances of the function are busy.",
            Self::FunctionOutOfMemory => "The function used more memory than it may.",
            Self::DeploymentNotFound => "No deployment answers at this address.",
            Self::NotFound => "This site has nothing at this path.",
            Self::PayloadTooLarge => "The request's body is too large.",
            Self::RequestTimeout => "The request's body did not come in its time.",
            Self::MalformedRequest => "The request cannot be read.",
            Self::MethodNotAllowed => "This path does not take this method.",
            Self::BlobCorrupt => "A stored file is damaged. Deploying it again repairs it.",
            Self::InfiniteLoopDetected => "The request came back to this host too often.",
            Self::StorageFull => "The host's disk is full.",
            Self::RoutePatternExhausted => "A route's pattern took too long to match this path.",
            Self::ExternalTargetError => "The server behind this route gave no answer.",
            Self::ExternalTargetConnectionError => "The server behind this route cannot be reached.",
            Self::ExternalTargetHandshakeError => "The server behind this route cannot be trusted.",
            Self::ExternalTargetTimeout => "The server behind this route did not answer in its time.",
            Self::DnsHostnameNotFound => "The server behind this route has no address.",
            Self::DnsHostnameResolvedPrivate => "The server behind this route is not part of the public internet.",
            Self::AuthenticationRequired => "This site is protected.",
            Self::TooManyAttempts => "There were too many attempts. Try again later.",
            Self::Internal => "The host could not answer this request.",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The list holds each error once, in the order of the declaration, to the last.
    #[test]
    fn all_are_listed() {
        let places: Vec<usize> = PlatformError::ALL.iter().map(|error| *error as usize).collect();
        assert_eq!(places, (0..=PlatformError::Internal as usize).collect::<Vec<_>>());
    }
}
