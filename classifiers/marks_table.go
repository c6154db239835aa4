package classifiers

import "bytes"

// marks gives the detectors of classification markings. Sources: the marking
// schemes' own publications (FIRST TLP 2.0, C-M(2002)49, 2013/488/EU, UK
// GSCP, 32 CFR 2002, EO 13526, VSA, IGI 1300).
func marks() []*mark {
	return []*mark{
		{
			Detector: Detector{ID: "mark.confidential", Level: Confidential, Tags: []string{"trade secret"},
				Good: []string{"CONFIDENTIAL\n\nProject plan", "Classification: Confidential", "Acme Corp - CONFIDENTIAL - page 3", "VERTRAULICH\nAngebot", `{"classification":"confidential"}`, "COMPANY CONFIDENTIAL", "Confidential\n", "POUFNE\nraport"},
				Bad:  []string{"we keep your data confidential at all times and never share it", "confidentiality is important", "This e-mail may contain CONFIDENTIAL information", "the ConfidentialClient class", "Name\x00Confidential\x00Secret\x00"}},
			phrases: concat(words(Public, false, "confidential", "vertraulich", "confidentiel", "confidencial", "confidenziale", "riservato", "poufne", "vertrouwelijk", "proprietary and confidential", "company confidential",
				"commercial in confidence", "do not distribute", "not for distribution", "nicht zur weitergabe", "ne pas diffuser", "no distribuir", "betriebsgeheimnis", "geschäftsgeheimnis", "trade secret", "tajemnica przedsiębiorstwa", "segreto aziendale", "secreto comercial", "secret des affaires")),
		},
		{
			Detector: Detector{ID: "mark.internal", Level: Internal,
				Good: []string{"INTERNAL USE ONLY\nMemo", "For internal use only", "Nur für den internen Gebrauch\n"}, Bad: []string{"this function is for internal use only and may change at any time without notice"}},
			phrases: words(Public, false, "internal use only", "for internal use only", "company internal", "nur für den internen gebrauch", "nur für den dienstgebrauch intern", "à usage interne", "usage interne uniquement", "uso interno", "solo uso interno", "do użytku wewnętrznego"),
		},
		{
			Detector: Detector{ID: "mark.restricted", Level: Restricted, Tags: []string{"trade secret"},
				Good: []string{"STRICTLY CONFIDENTIAL\nBoard paper", "Classification: Restricted", "RESTRICTED\nReport", "STRENG VERTRAULICH\n", "Sensitivity: Highly Confidential"},
				Bad:  []string{"access is restricted to members", "restricted", "LANGUAGE C STRICT PARALLEL RESTRICTED;", "the strictly confidential nature of the talks was known to all who came"}},
			phrases: concat(words(Public, false, "strictly confidential", "highly confidential", "streng vertraulich", "strictement confidentiel", "estrictamente confidencial", "strettamente riservato", "ściśle poufne", "strictly private and confidential"),
				alone(Public, "restricted", "eyes only")),
		},
		{
			Detector: Detector{ID: "mark.tlp", Level: Confidential, Tags: []string{"TLP"},
				Good: []string{"TLP:RED", "Marking tlp:amber+strict for you", "TLP:GREEN"}, Bad: []string{"TLP: none", "xtlp:redx"}},
			phrases: []phrase{
				{text: "tlp:red", anywhere: true, level: Restricted}, {text: "tlp: red", anywhere: true, level: Restricted}, {text: "tlp:amber+strict", anywhere: true, level: Restricted},
				{text: "tlp:amber", anywhere: true, level: Confidential, valid: func(after []byte) bool { return !hasPrefixFold(after, "+strict") }},
				{text: "tlp: amber", anywhere: true, level: Confidential},
				{text: "tlp:green", anywhere: true, level: Internal}, {text: "tlp: green", anywhere: true, level: Internal},
				{text: "tlp:clear", anywhere: true, public: true}, {text: "tlp:white", anywhere: true, public: true},
			},
		},
		{
			Detector: Detector{ID: "mark.pap", Level: Confidential, Tags: []string{"PAP"}, Good: []string{"PAP:RED"}, Bad: []string{"pap: smear"}},
			phrases: []phrase{{text: "pap:red", anywhere: true, level: Restricted}, {text: "pap:amber", anywhere: true, level: Confidential}, {text: "pap:green", anywhere: true, level: Internal},
				{text: "pap:clear", anywhere: true, public: true}, {text: "pap:white", anywhere: true, public: true}},
		},
		{
			Detector: Detector{ID: "mark.nato", Level: Restricted, Tags: []string{"C-M(2002)49"}, Good: []string{"NATO SECRET\n", "NATO UNCLASSIFIED\n"}, Bad: []string{"the nato secret service in the film was a comedy of errors"}},
			phrases:  concat(words(Public, true, "cosmic top secret", "nato secret", "nato confidential", "nato restricted"), words(Internal, true, "nato unclassified")),
		},
		{
			Detector: Detector{ID: "mark.eu", Level: Restricted, Tags: []string{"2013/488/EU"}, Good: []string{"EU RESTRICTED\n", "RESTREINT UE/EU RESTRICTED\n"}},
			phrases:  words(Public, true, "très secret ue", "tres secret ue", "eu top secret", "secret ue", "eu secret", "confidentiel ue", "eu confidential", "restreint ue", "eu restricted"),
		},
		{
			Detector: Detector{ID: "mark.uk", Level: Confidential, Tags: []string{"GSCP"}, Good: []string{"OFFICIAL-SENSITIVE\n", "OFFICIAL - SENSITIVE\n", "UK SECRET\n"}, Bad: []string{"official sensitive talks went on in the town hall for many days"}},
			phrases:  concat(words(Public, true, "official-sensitive", "official sensitive", "official - sensitive"), words(Restricted, true, "uk secret", "uk top secret", "uk eyes only")),
		},
		{
			Detector: Detector{ID: "mark.us-cui", Level: Confidential, Tags: []string{"32 CFR 2002", "CMMC", "DFARS 252.204-7012"}, Good: []string{"CUI//SP-CTI\n", "CONTROLLED UNCLASSIFIED INFORMATION\n", "Controlled by: CUI designation indicator"}, Bad: []string{"cuisine"}},
			phrases:  concat(anywhere(Public, "cui//sp-", "cui designation indicator", "controlled//"), words(Public, false, "controlled unclassified information", "for official use only", "law enforcement sensitive")),
		},
		{
			Detector: Detector{ID: "mark.us-classified", Level: Restricted, Tags: []string{"EO 13526"}, Good: []string{"TOP SECRET//SI//NOFORN", "SECRET//NOFORN\n", "(S//NF) The source", "TOP SECRET\n"}, Bad: []string{"my top secret recipe for apple cake is easy"}},
			phrases:  concat(anywhere(Public, "secret//noforn", "secret//rel to", "top secret//", "confidential//noforn", "(ts//", "(s//nf)", "declassify on:"), words(Public, true, "top secret")),
		},
		{
			Detector: Detector{ID: "mark.export", Level: Restricted, Tags: []string{"ITAR", "EAR"}, Good: []string{"ITAR CONTROLLED\n", "WARNING - This document contains technical data whose export is restricted by the Arms Export Control Act", "ECCN 5A002 applies"}, Bad: []string{"the ITAR law class"}},
			phrases: concat(anywhere(Public, "export is restricted by the arms export control act", "subject to the international traffic in arms"), words(Public, true, "itar controlled", "itar restricted", "export controlled"),
				[]phrase{{text: "eccn", anywhere: true, valid: eccn}}),
		},
		{
			Detector: Detector{ID: "mark.dod-dist", Level: Restricted, Tags: []string{"DoDI 5230.24"}, Good: []string{"DISTRIBUTION STATEMENT D. Distribution authorized to"}, Bad: []string{"distribution statement of income"}},
			phrases: []phrase{{text: "distribution statement", anywhere: true, valid: func(after []byte) bool {
				return len(after) >= 3 && after[0] == ' ' && after[1] >= 'B' && after[1] <= 'F' && !isAlnum(after[2])
			}}},
		},
		{
			Detector: Detector{ID: "mark.de-vs", Level: Restricted, Tags: []string{"VSA"}, Good: []string{"VS-NUR FÜR DEN DIENSTGEBRAUCH\n", "VS-NfD\n", "VS-VERTRAULICH\n"}, Bad: []string{"vs-code", "rename it to VS-NfD.prf", "options of the VS-NfD mode", "non-VS-NfD compliant keys"}},
			phrases:  concat([]phrase{{text: "vs-nfd", anywhere: true, valid: aMarking}}, anywhere(Public, "vs-nur für den dienstgebrauch", "vs - nur für den dienstgebrauch", "vs-vertraulich"), words(Public, true, "streng geheim"), alone(Public, "geheim")),
		},
		{
			Detector: Detector{ID: "mark.fr", Level: Restricted, Tags: []string{"IGI 1300"}, Good: []string{"DIFFUSION RESTREINTE\n", "SECRET DÉFENSE\n"}, Bad: []string{"une diffusion restreinte de ce film est prévue pour le mois de mai"}},
			phrases:  words(Public, true, "diffusion restreinte", "très secret", "secret défense", "secret defense", "confidentiel défense", "confidentiel defense"),
		},
		{
			Detector: Detector{ID: "mark.nda", Level: Confidential, Tags: []string{"DTSA"}, Good: []string{"ATTORNEY-CLIENT PRIVILEGED\n", "PRIVILEGED AND CONFIDENTIAL\n"}, Bad: []string{"please sign the attorney client privileged form and send it to us by friday"}},
			phrases:  words(Public, false, "attorney-client privilege", "attorney-client privileged", "attorney client privileged", "attorney work product", "privileged and confidential", "privileged & confidential", "subject to non-disclosure agreement", "under nda"),
		},
	}
}

// eccn confirms an Export Control Classification Number after its name (15 CFR
// 774, supplement 1): category, product group, three digits.
func eccn(after []byte) bool {
	a := bytes.TrimLeft(after[:min(len(after), 24)], " :#.noNO")
	return len(a) >= 5 && isDigit(a[0]) && a[1] >= 'A' && a[1] <= 'E' && isDigit(a[2]) && isDigit(a[3]) && isDigit(a[4]) && (len(a) == 5 || !isAlnum(a[5]))
}

// aMarking refuses an abbreviation that is the name of a file or speaks of what is
// made for the marking.
func aMarking(after []byte) bool {
	if len(after) > 1 && (after[0] == '.' || after[0] == '-') && isAlnum(after[1]) {
		return false
	}
	after = bytes.TrimLeft(after, " -")
	for _, w := range [...]string{"mode", "modus", "complian", "konform", "approv", "zugelassen", "zulassung", "certif", "zertif", "capable", "tauglich"} {
		if hasPrefixFold(after, w) {
			return false
		}
	}
	return true
}
