//! An authority that signs certificates for addresses, as the system's authorities would.

use std::{
    fs,
    net::IpAddr,
    path::{Path, PathBuf},
};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose,
};
use tempfile::TempDir;

/// An authority that exists for one test.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    /// Its own certificate, for those who shall trust it.
    pub(crate) certificate: PathBuf,
    _folder: TempDir,
}

/// A certificate and its key.
pub(crate) struct Certificate {
    pub(crate) chain: PathBuf,
    pub(crate) key: PathBuf,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut parameters = CertificateParams::new(Vec::new()).unwrap();
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let issuer = CertifiedIssuer::self_signed(parameters, KeyPair::generate().unwrap());
        let issuer = issuer.unwrap();
        let certificate = folder.path().join("authority.crt");
        fs::write(&certificate, issuer.pem()).unwrap();
        Self {
            issuer,
            certificate,
            _folder: folder,
        }
    }

    /// Signs a certificate for a server that is known by its address.
    pub(crate) fn sign(&self, address: IpAddr, folder: &Path) -> Certificate {
        let mut parameters = CertificateParams::new(vec![address.to_string()]).unwrap();
        // One who is called as the authority is seems to have signed themselves.
        let subject = &mut parameters.distinguished_name;
        subject.push(DnType::CommonName, address.to_string());
        parameters.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate().unwrap();
        let signed = parameters.signed_by(&key, &self.issuer).unwrap();
        let files = Certificate {
            chain: folder.join("tls.crt"),
            key: folder.join("tls.key"),
        };
        fs::write(&files.chain, signed.pem()).unwrap();
        fs::write(&files.key, key.serialize_pem()).unwrap();
        files
    }
}
