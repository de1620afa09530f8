mod cases;
mod cost;
mod oracle;
mod random;
mod version1;
mod world;
