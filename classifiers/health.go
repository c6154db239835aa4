package classifiers

// Records of patients, and the numbers of drugs and diagnoses.

var health = []*number{
	id("health.mrn", w("HIPAA"), w("mrn", "medical record", "medical record number", "patient id", "patient number", "patient no", "patientennummer", "krankenblatt", "numéro de patient", "número de historia", "historia clínica", "cartella clinica", "numer pacjenta"),
		w("6d", "7d", "8d", "9d", "10d", "a6d", "a7d", "2a6d", "2a7d", "3a6d"), w("3-3-3", "2-6", "3-4"), func(v *value) bool {
			return !sameDigits(v.b) && !stamp(v.b) && !years(v) && (v.sep == 0 || v.sep == '-')
		}).cases(w("MRN: 8472913", "patient id 00482913"), w("id 8472913", "MRN 1111111")),
	id("health.ndc", w("HIPAA"), w("ndc", "drug", "national drug code", "rx"), w("10d", "11d"), w("5-4-2", "4-4-2", "5-3-2", "5-4-1"), func(v *value) bool {
		return v.sep == '-' && len(v.lens) == 3 && v.lens[1] >= 3
	}).lvl(Internal).cases(w("NDC 0777-3105-02"), w("0777-3105-02")),
	id("health.icd10", w("HIPAA", "GDPR"), w("icd", "icd-10", "icd10", "diagnosis", "diagnoses", "dx", "diagnose", "diagnostic", "diagnóstico", "diagnosi", "rozpoznanie"), w("a2dx", "a2d2x", "a2d3x", "a2d4x"), w("3.1", "3.2", "3.3", "3.4"), func(v *value) bool {
		return v.sep == '.' && len(v.lens) == 2 && v.lens[0] == 3 && !v.lower && v.b[0] != 'U' && v.left == 0 && v.right == 0
	}).lvl(Internal).cases(w("diagnosis E11.9", "ICD-10: S72.001A"), w("E11.9", "diagnosis e11.9")),
	id("pay.uk.sortcode", w("UK GDPR"), w("sort code", "sortcode", "sort-code", "bacs"), w("6d"), w("2-2-2", "2 2 2"), func(v *value) bool {
		return (v.sep == 0 || len(v.lens) == 3 && v.lens[0] == 2 && v.lens[1] == 2) && !sameDigits(v.b)
	}).cases(w("sort code 20-00-00", "Sort Code: 404784"), w("20-00-00")),
}
