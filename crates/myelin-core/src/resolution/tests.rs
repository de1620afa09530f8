mod cases;
mod oracle;
mod random;
mod version1;
mod world;
