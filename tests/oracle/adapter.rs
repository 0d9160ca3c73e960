//! From the oracle's terms to the engine's (filled once the engine has its interface).
