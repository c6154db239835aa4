package classifiers

import "bytes"

// Tokens with a literal of their own. Formats are the issuers' documented ones.

var secretTags = []string{"SOC 2 CC6.1", "ISO 27001 A.8.12"}

// tok makes the usual token: restricted, high confidence.
func tok(id string, body *charset, min, max int, entropy float64, prefixes ...string) *token {
	return &token{Detector: Detector{ID: id, Level: Restricted, Tags: secretTags, Secret: true}, prefixes: prefixes, body: body, min: min, max: max, entropy: entropy, conf: High}
}

func (t *token) cases(good, bad []string) *token {
	t.Good, t.Bad = good, bad
	return t
}

func (t *token) at(l Level) *token { t.Level = l; return t }

// check adds a validator.
func (t *token) check(f func(body, before, after []byte) bool) *token {
	t.valid = f
	return t
}

// soft makes the confidence medium.
func (t *token) soft() *token { t.conf = Medium; return t }

func tokens() []*token {
	return []*token{
		tok("sec.aws-access-token", csB32, 16, 16, 2.5, "AKIA", "ASIA", "ABIA", "ACCA").cases(
			[]string{"aws_access_key_id = AKIAQYLPMN5HHHFPZAM2", "key:ASIAQYLPMN5HHHFPZAM2"},
			[]string{"AKIAIOSFODNN7EXAMPLE", "XAKIAQYLPMN5HHHFPZAM2", "AKIAQYLPMN5HHHFPZAM2A", "AKIAAAAAAAAAAAAAAAAA"}),
		tok("sec.aws-bedrock-key", csB64, 100, 300, 3, "ABSKQmVkcm9ja0FQSUtleS").cases(
			w("ABSKQmVkcm9ja0FQSUtleS1hYmNkMTIzNDU2Nzg5MHF3ZXJ0eXVpb3Bhc2RmZ2hqa2x6eGN2Ym5tUVdFUlRZVUlPUEFTREZHSEpLTFpYQ1ZCTk0xMjM0NTY3ODkwcWF6d3N4ZWRj"), w("ABSKQmVkcm9ja0FQSUtleS1EXAMPLE")),
		tok("sec.aws-bedrock-key", csAlnum, 0, 64, 0, "bedrock-api-key-YmVkcm9jay5hbWF6b25hd3MuY29t"),
		tok("sec.aws-secret-key", set(" =:\"'>a-zA-Z0-9/+"), 40, 48, 3.5, "secret_access_key", "secretaccesskey", "aws_secret_key", "aws-secret-access-key").check(func(body, _, _ []byte) bool {
			b := bytes.Trim(body, " =:\"'>")
			return len(b) == 40 && len(body) > 40 && !filler(b) && !wordy(b)
		}).inside().anyCase().cases(w("aws_secret_access_key = q7Kd2mW9xZp4Lr8Tn3Vb6Yc1Hf5Jg0Qs+Ue/RtAi"), w("aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")),
		tok("sec.azure-sas", set("a-zA-Z0-9%+/="), 43, 70, 3.5, "&sig=", "?sig=").check(func(_, before, after []byte) bool {
			b := before[max(0, len(before)-400):]
			a := after[:min(len(after), 300)]
			return (bytes.Contains(b, []byte("sv=")) || bytes.Contains(a, []byte("&sv="))) && (bytes.Contains(b, []byte("se=")) || bytes.Contains(a, []byte("&se=")))
		}).at(Confidential).cases(w("https://acct.blob.core.windows.net/c/f?sv=2022-11-02&se=2030-01-01T00%3A00%3A00Z&sr=b&sp=r&sig=q7Kd2mW9xZp4Lr8Tn3Vb6Yc1Hf5Jg0QsUeRtAiBnMk0%3D"), w("?v=1&sig=q7Kd2mW9xZp4Lr8Tn3Vb6Yc1Hf5Jg0QsUeRtAiBnMk0%3D")),
		tok("sec.gcp-api-key", csURL, 35, 35, 3.5, "AIza").cases(w("AIzaSyNHxIf32IQ1a1yjl3ZJIqKZqzLAK1XhDk-"), w("AIzaSyaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")),
		tok("sec.gcp-service-account", set(" \":"), 2, 8, 0, `"private_key_id"`).check(func(_, _, after []byte) bool {
			return csHex.run(after, 41) == 40 && entropy(after[:40]) > 3
		}).cases(w(`{"type": "service_account", "private_key_id": "8f3c2d1e4b5a69780c1d2e3f4a5b6c7d8e9f0a1b", "x":1}`), w(`"private_key_id": "key"`)),
		tok("sec.azure-ad-client-secret", set("a-zA-Z0-9_~.-"), 31, 34, 3, "Q~").check(func(body, before, after []byte) bool {
			n := len(before)
			return n >= 4 && isDigit(before[n-1]) && csAlnum.run(before[n-4:], 3) == 3 && (n == 4 || !csDot.has(before[n-5]))
		}).inside().cases(w("secret: QtT8Q~9C-_Ij~RouHVpD2Tuf3oHWGh.DQ3kcjbAn"), w("Q~Q~Q~Q~")),
		tok("sec.azure-storage-key", csB64, 86, 88, 4, "AccountKey=").cases(w("DefaultEndpointsProtocol=https;AccountName=a;AccountKey=lJzRc1YdHaAA2KCNJJ1tkYwF/+mKK6Ygw0NGe170Xu592euJv2wYUtBlV8z+qnlcNQSnIYVTkLWntUO1F8j8rQ=="), w("AccountKey=short")),
		tok("sec.github-pat", csAlnum, 36, 36, 3, "ghp_").cases(w("githubToken=ghp_jiixcx8slyj9f7jta45t2l0mi94feg589nh4"), w("ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx")),
		tok("sec.github-app-token", csAlnum, 36, 36, 3, "gho_", "ghu_", "ghs_", "ghr_").cases(w("ghs_u7wcjq9pigd15yj69iri69n5wlthqdr0jmiz"), w("ghs_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx")),
		tok("sec.github-fine-grained-pat", csWord, 82, 82, 3, "github_pat_").cases(w("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"), w("github_pat_short")),
		tok("sec.gitlab-pat", set("a-zA-Z0-9_.-"), 20, 64, 3, "glpat-").cases(w("glpat-mkyqdeul9rcna1pvy68v"), w("glpat-xxxxxxxxxxxxxxxxxxxx")),
		tok("sec.gitlab-token", set("a-zA-Z0-9_.-"), 16, 70, 3, "gldt-", "glft-", "glsoat-", "glrt-", "glrtr-", "glcbt-", "glimt-", "glagent-", "gloas-", "glptt-", "glffct-", "GR1348941").cases(w("gldt-boxx6bwjx7b2863kttw7", "GR1348941aksoswp9ajjisqw9i4hj"), w("gldt-xxxxxxxxxxxxxxxxxxxx")),
		tok("sec.gitlab-session-cookie", csLower, 32, 32, 3, "_gitlab_session=").at(Confidential).cases(w("_gitlab_session=hd7qy58igqhgg5g7iyszkqgohmzo1cep"), w("_gitlab_session=deleted")),
		tok("sec.slack-bot-token", csURL, 20, 100, 2.5, "xoxb-").cases(w("xoxb-781236542736-2364535789652-GkwFDQoHqzXDVsC6GzqYUypD"), w("xoxb-xxxxxxxxxxx-xxxxxxxxxxxxxxxxxxxxxxxx", "xoxb-xoxb-my-bot-token")).check(slackDigits),
		tok("sec.slack-token", csURL, 9, 400, 2, "xoxp-", "xoxe-", "xoxe.xoxb-", "xoxe.xoxp-", "xoxa-", "xoxr-", "xoxs-", "xoxo-", "xapp-").cases(w(`"xoxp-41684372915-1320496754-45609968301-e708ba56e1517a99f6b5fb07349476ef"`), w("xoxe-1-xxx", "xapp-abc-def-ghi")).check(slackDigits),
		tok("sec.slack-webhook-url", set("A-Za-z0-9+/"), 20, 100, 3, "hooks.slack.com/services/", "hooks.slack.com/workflows/", "hooks.slack.com/triggers/").at(Confidential).cases(w("https://hooks.slack.com/services/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"), w("https://hooks.slack.com/services/xxxxx")),
		tok("sec.microsoft-teams-webhook", set("a-zA-Z0-9@/_-"), 60, 200, 3, ".webhook.office.com/webhookb2/").inside().at(Confidential).cases(w("https://acme.webhook.office.com/webhookb2/9e50f8d5-c5bc-4ba9-9f8a-5f3d0b2a1c4e@b4a3d2c1-f0e9-4d8c-b7a6-958473625140/IncomingWebhook/1c5a7d3f9b2e4860a8c6e4f2d0b9a8c7/e8d7c6b5-a493-4281-b706-f5e4d3c2b1a0"), w(".webhook.office.com/webhookb2/x")),
		tok("sec.stripe-access-token", csAlnum, 10, 120, 2.5, "sk_live_", "rk_live_", "sk_prod_", "rk_prod_").cases(w("sk_live_51OuEMLAlTWGaDypq4P5cuDHbuKeG4tAGPYHJpEXQ7zE8"), w("sk_live_xxxxxxxxxxxxxxxxxxxx")),
		tok("sec.stripe-access-token", csAlnum, 10, 120, 2.5, "sk_test_", "rk_test_").at(Internal),
		tok("sec.age-secret-key", csBech32, 58, 58, 0, "AGE-SECRET-KEY-1").cases(w("AGE-SECRET-KEY-1QQPQYRVQZRZG4CVQXRYVZPZG0PXY9XG8PT4SCKNV3J0GFSWHJZYMQGKLVQ"), w("AGE-SECRET-KEY-1ABC")),
		tok("sec.npm-access-token", csAlnum, 36, 36, 2, "npm_").cases(w("npm_j9vr8kpg7hs60ahgx8ud0l8n8zdilfe03wpg"), w("npm_config_registry")),
		tok("sec.pypi-upload-token", csURL, 50, 900, 3, "pypi-AgEIcHlwaS5vcmc").cases(w("pypi-AgEIcHlwaS5vcmcCJGExYjJjM2Q0LWU1ZjYtNzg5MC1hYmNkLWVmMTIzNDU2Nzg5MAACKlszLCJkZWY"), w("pypi-AgEIcHlwaS5vcmc")),
		tok("sec.rubygems-api-token", csHex, 48, 48, 2, "rubygems_").cases(w("rubygems_cc49e4be260cee33af818765150ddced26a8de89e7c7036e"), w("rubygems_version")),
		tok("sec.openai-api-key", csURL, 40, 200, 3, "sk-").check(func(body, _, _ []byte) bool { return bytes.Contains(body, []byte("T3BlbkFJ")) }).cases(w("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"), w("sk-learn-is-a-package-for-machine-learning-models-in-python")),
		tok("sec.anthropic-api-key", csURL, 80, 130, 3, "sk-ant-api03-", "sk-ant-admin01-").check(func(body, _, _ []byte) bool { return len(body) == 95 && bytes.HasSuffix(body, []byte("AA")) }).cases(w("sk-ant-api03-abc123xyz-456def789ghij-klmnopqrstuvwx-3456yza789bcde-1234fghijklmnopqby56aaaogaopaaaabc123xyAA"), w("sk-ant-api03-abc")),
		tok("sec.huggingface-access-token", csAlnum, 34, 34, 3, "hf_", "api_org_").cases(w("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"), w("hf_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx")),
		tok("sec.perplexity-api-key", csAlnum, 48, 48, 4, "pplx-").cases(w("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"), w("pplx-7b-chat")),
		tok("sec.sendgrid-api-token", set("a-zA-Z0-9=_.-"), 66, 66, 3, "SG.").cases(w("SG.i1io=wowzxz0s-9kc8j5oudgj83ryvjmol89_53b5t1kmvge3wwqysyim8emt69czf"), w("SG.short")),
		tok("sec.twilio-api-key", csHex, 32, 32, 3, "SK").check(lowerHex).soft().cases(w("twilioToken=SK87f26a1a9addb2870cb137b05c920631"), w("SKdeadbeefdeadbeefdeadbeefdeadbeefff")),
		tok("sec.mailgun-private-api-token", csHex, 32, 32, 3, "key-").soft().cases(w("mailgunToken=key-f25ce3cfbe499fe764b75ba24a9a7544"), w("key-value")),
		tok("sec.mailchimp-api-key", csDigit, 1, 2, 0, "-us").check(func(_, before, _ []byte) bool {
			n := 0
			for n < len(before) && n < 33 && csHex.has(before[len(before)-1-n]) {
				n++
			}
			return n == 32 && entropy(before[len(before)-32:]) > 2.5
		}).inside().soft().cases(w("mailchimp: 57503b66d2a65a4e0b6ff7d1666e1851-us20"), w("made-in-us1")),
		tok("sec.shopify-access-token", csHex, 32, 32, 2, "shpat_", "shpca_", "shppa_", "shpss_").cases(w("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"), w("shpat_token")),
		tok("sec.square-access-token", csURL, 22, 60, 2, "sq0atp-", "sq0csp-").cases(w("sq0atp-CdD5SxQPbXSUB6hcrz1G51"), w("sq0atp-abc")),
		tok("sec.square-access-token", csURL, 22, 60, 2, "EAAA").near("square").cases(w("squareToken=EAAACdD5S_QPb_SUB6hcrz1G51"), w("EAAACdD5S_QPb_SUB6hcrz1G51")),
		tok("sec.digitalocean-pat", csHex, 64, 64, 3, "dop_v1_", "doo_v1_", "dor_v1_").cases(w("dop_v1_04ef2d8a929477a03bb86aab0c31f54674a824eca0987427db1d8544bcbf42e9"), w("dop_v1_token")),
		tok("sec.databricks-api-token", csHex, 32, 32, 3, "dapi").cases(w("dapi25bec19051853bf1b4f019837e18d98e"), w("dapiddddddddddddddddddddddddddddddddd")),
		tok("sec.hashicorp-tf-api-token", set("a-zA-Z0-9=_-"), 60, 70, 3.5, ".atlasv1.").inside().cases(w(`token = "hE1hlYILrSqpqh.atlasv1.ARjZuyzl33F71WR55s6ln5GQ1HWIwTDDH3MiRjz7OnpCfaCb1RCF5zGaSncCWmJdcYA"`), w("xxxxxxxxxxxxxx.atlasv1.xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx")),
		tok("sec.vault-service-token", csURL, 90, 300, 3.5, "hvs.", "hvb.").cases(w("hvb.pjboh0rmoorembftprf02c9h69ky3pdi09-5ubd7i69s476nt6ralw5pvqs259c8_-e-8grsma-a0le12lg-ywzocpo6gwu0aq1sw2de3fr4gt5hy6ju7ki8lo9"), w("hvs.short")),
		tok("sec.grafana-service-account-token", csWord, 41, 41, 3, "glsa_").cases(w("glsa_for20wx40wdy5ma67k19vd6w1kdvb51m_7a707e88"), w("glsa_token")),
		tok("sec.grafana-cloud-api-token", set("A-Za-z0-9+/="), 32, 400, 3, "glc_").cases(w("glc_494ulvdt491l1aj5yohjf5enbwvtdtg8"), w("glc_111111111111111111111111111111111111111111=")),
		tok("sec.grafana-api-key", csB64, 60, 400, 3, "eyJrIjoi").cases(w("eyJrIjoikyrep9s3ijslibl5ye5cbyqqn9ze2gufvggq2i0e9403vcwfow069wywvbpit87zfruo2d"), w("eyJrIjoi")),
		tok("sec.postman-api-token", set("a-fA-F0-9-"), 59, 59, 3, "PMAK-").cases(w("PMAK-3478bbd2deec444230bd774e-c11c5eb31dfa191ac3cf64362a459b8dad"), w("PMAK-x")),
		tok("sec.pulumi-api-token", csHex, 40, 40, 2, "pul-").cases(w("pul-6d2b4f821a7945b73a96f23bc1cba56cad81a833"), w("pul-lang")),
		tok("sec.atlassian-api-token", csB64URL, 60, 250, 3.5, "ATATT3", "ATCTT3", "ATBB").cases(w("ATATT3xFfGF0M4bVaRZ2q8pKyhr5iuWzN7Dlc1oTjE6sgXxU9vYwLbHkQnSeJdCtPfAm0GiOuB3rZ=8A1C2E4F"), w("ATATT3")),
		tok("sec.1password-service-account-token", csB64, 100, 900, 4, "ops_eyJ").cases(w("ops_eyJlbWFpbCI6ImVqd2U2NHFtbHhocmlAMXBhc3N3b3Jkc2VydmljZWFjY291bnRzLmxjbCIsIm11ayI6eyJhbGciOiJBMjU2R0NNIiwiZXh0Ijp0cnVlLCJrIjoiTThWUGZJYzhWRWZUaGNNWExhS0NLRjhzTWg1Sk1acVBBdHU5MmZRTmItbyJ9"), w("ops_eyJ")),
		tok("sec.1password-secret-key", set("A-Z0-9-"), 31, 38, 3.5, "A3-").check(func(b, _, _ []byte) bool { return b[6] == '-' && bytes.Count(b, []byte("-")) >= 4 }).cases(w("A3-ASWWYB-798JRYLJVD4-23DC2-86TVM-H43EB"), w("A3-XXXXXX-XXXXXXXXXXX-XXXXX-XXXXX-XXXXX")),
		tok("sec.artifactory-api-key", csAlnum, 66, 90, 4, "AKCp").cases(w("AKCp5bueTFpfypEqQbGJPp7eHFi28fBivfWczrjbPb9erDff9LbXZbj6UsRExVXA8asWGc9fM"), w("AKCpshort")),
		tok("sec.artifactory-reference-token", csAlnum, 60, 70, 3, "cmVmdGtu").cases(w("cmVmdGtuOjAxOjE3NzA3NzYwMDA6OXExejJ3M3g0ZTVjNnI3djh0OXkwdTFpMm8zcDRh"), w("cmVmdGtu")),
		tok("sec.planetscale-password", set("a-zA-Z0-9=_.-"), 32, 64, 3, "pscale_pw_", "pscale_tkn_", "pscale_oauth_").cases(w("pscale_pw_gjhkjptdu4_bvix7hjs5rd9esz_xvx7d"), w("pscale_pw_x")),
		tok("sec.flyio-access-token", set("a-zA-Z0-9=+/_-"), 43, 900, 3, "fo1_", "fm1_", "fm1a_", "fm1r_", "fm2_").cases(w("fo1_T5YfQPkJfVeZfHPWWDDUVkUltJgKR0opXoseh2RKQ0N"), w("fo1_x")),
		tok("sec.alibaba-access-key-id", csAlnum, 12, 24, 2, "LTAI").cases(w("alibabaKey := LTAI15e6e4df7a8092b79a3a"), w("LTAIxxxxxxxxxxxxxxxxxxxx")),
		tok("sec.telegram-bot-api-token", csURL, 34, 34, 3, ":A").check(func(body, before, _ []byte) bool {
			n := 0
			for n < len(before) && n < 17 && isDigit(before[len(before)-1-n]) {
				n++
			}
			return n >= 5 && n <= 16 && (n == len(before) || !isAlpha(before[len(before)-1-n]))
		}).inside().soft().cases(w("telegramToken=77969:Aij4eleyjna4q68bsoyo8ojdyt5bjtb10fq"), w("12:Abc")),
		tok("sec.nats-nkey-seed", csB32, 56, 56, 3.5, "SU", "SA", "SO", "SN", "SC", "SX").cases(w("SUCHTGY6JUDRHUZAKPJZMKY7UUESYN5OFBCU3L5FKWATKNMUTVGGELV2TP"), w("SUSTAINABILITY")),
		tok("sec.openshift-user-token", csURL, 43, 43, 3.2, "sha256~").cases(w("sha256~Pk0u6abDI5jP-qvn8nOfuutz9aAbEzzOHZeHd-cLBGP"), w("sha256~_xxxxxx_xxxxxxxxxxxxxxxxxxxxxx-xxxxxxxxxx-X")),
		tok("sec.sourcegraph-access-token", csWord, 40, 60, 3, "sgp_").cases(w("sgp_0D697F54cb24238EefB29af05Abf1b505E90950F"), w("sgp_x")),
		tok("sec.sentry-org-token", set("a-zA-Z0-9+/=_"), 60, 300, 3.5, "sntrys_eyJpYXQiO").cases(w("sntrys_eyJpYXQiOjguMCwidXJsIjoiaHR0cHM6Ly9Dbjc2WDlBUTVuIiwicmVnaW9uX3VybCI6Imh0dHBzOi8vdlVYemFSQUE0V0pWcG5nX0Fr"), w("sntrys_x")),
		tok("sec.sentry-user-token", csHex, 64, 64, 3.3, "sntryu_").cases(w("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"), w("sntryu_90fc788ee3b600f1a8af1264ec063faf54e1e1a09df845f15b66d62c9657e61c3")),
		tok("sec.doppler-api-token", csAlnum, 43, 43, 2, "dp.pt.", "dp.st.", "dp.ct.").cases(w("dp.pt.dm0mcr3dm7dwgcpq2f0mv0q23ic1tl4m8nd6bfcqfl3"), w("dp.pt.x")),
		tok("sec.dynatrace-api-token", csDot, 60, 100, 3, "dt0c01.").cases(w("dt0c01.6xz86m7ska8j1xqg2k28spq1.jc8abiho26jxtyjhpygxdtvtke56ddtzmss3raggqj5ipqxxabc12"), w("dt0c01.x")),
		tok("sec.easypost-api-token", csAlnum, 54, 54, 2, "EZAK", "EZTK").cases(w("EZAKvd1qLOotuj3P2RRCGe9o4qui6qxxBR0lIj5npoLed6Th3qDFgiH4Ln"), w("EZAKx")),
		tok("sec.linear-api-key", csLower, 40, 40, 2, "lin_api_").cases(w("lin_api_73keel5ltofym5dccy2efzpdh7ivxayqcy5yqxf5"), w("lin_api_x")),
		tok("sec.notion-api-token", csAlnum, 46, 46, 3, "ntn_").cases(w("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"), w("ntn_x")),
		tok("sec.new-relic-key", set("a-zA-Z0-9-"), 19, 32, 2.5, "NRAK-", "NRJS-", "NRII-").cases(w("NRAK-tboy1umgec8h71w3xgehwuoy8sd"), w("NRAK-x")),
		tok("sec.octopus-deploy-api-key", csUpper, 26, 26, 3, "API-").check(func(_, before, _ []byte) bool { return len(before) == 0 || before[len(before)-1] != '/' }).cases(w(`set apikey="API-ZNRMR7SL6L3ATMOIK7GKJDKLPY"`), w("https://fog-ringer-f42.notion.site/API-BD80F56CDC1441E6BF6011AB6D852875")),
		tok("sec.prefect-api-token", csLower, 36, 36, 2, "pnu_").cases(w("pnu_6clgrnbwgm1jhnsf9cjxvmg4gm33dv5tlbrt"), w("pnu_x")),
		tok("sec.readme-api-token", csLower, 70, 70, 2, "rdme_").cases(w("rdme_5n48z2z5hiz5sl8cm7ybrmzcahq0esh61yzb4obbcc3ebso39qfqdxqnjjqy5m1d0xmqf0"), w("rdme_x")),
		tok("sec.sendinblue-api-token", set("a-f0-9-A-Zg-z"), 75, 85, 2, "xkeysib-").cases(w("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"), w("xkeysib-x")),
		tok("sec.settlemint-token", csAlnum, 16, 16, 3, "sm_aat_", "sm_pat_", "sm_sat_").cases(w("sm_aat_31rj9pwxnsym2ti7"), w("sm_pat_xxxxxxxxxxxxxxxx")),
		tok("sec.shippo-api-token", csHex, 40, 40, 2, "shippo_live_", "shippo_test_").cases(w("shippo_live_871ec428282b94d5120a962ecf72f31762f49b07"), w("shippo_live_x")),
		tok("sec.typeform-api-token", set("a-zA-Z0-9=_.-"), 59, 59, 3, "tfp_").cases(w("tfp_mmt=f7eg=uv4idvefby14qatbmmhdl3bx2tjd-nk9g151lifvwqyw98v5jy"), w("tfp_x")),
		tok("sec.twitter-bearer-token", set("a-zA-Z0-9%"), 80, 100, 3, "AAAAAAAAAAAAAAAAAAAA").cases(w("AAAAAAAAAAAAAAAAAAAAAAu44t3q9MvRhqNwzBoC3cTpyuZrJ70g595IIw8vGFv6yyhTzmmANl0bKDdjcocCyJWKFfL8nHfAzabcd12"), w("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")),
		tok("sec.duffel-api-token", set("a-zA-Z0-9_=-"), 43, 43, 2, "duffel_test_", "duffel_live_").cases(w("duffel_test_th_rbouymsrjda0nyzot1pfh2=1p6bllh8=1n6=5trh"), w("duffel_test_x")),
		tok("sec.clojars-api-token", csLower, 60, 60, 2, "CLOJARS_").cases(w("CLOJARS_q5p30inytm9sjjrfxo1k9qzq22hq3jd32fbijzrq39y6zpeq02nmcr4eh6hw"), w("CLOJARS_x")),
		tok("sec.cloudflare-origin-ca-key", set("a-f0-9-"), 171, 171, 2, "v1.0-").cases(w("v1.0-aaa334dc886f30631ba0a610-"+"0d98ef66290d7e50aac7c27b5986c99e6f3f1084c881d8ac0eae5de1d1aa0644076ff57022069b3237d19afe60ad045f207ef2b16387ee37b749441b2ae2e9ebe5b4606e846475d4a5"), w("v1.0-rc1")),
		tok("sec.flutterwave-key", set("a-hA-H0-9X-"), 12, 34, 2, "FLWSECK_TEST-", "FLWPUBK_TEST-", "FLWSECK-", "FLWPUBK-").cases(w("FLWSECK_TEST-a3913e00294bf586833ad263f0795f09-X"), w("FLWSECK_TEST-x")),
		tok("sec.frameio-api-token", set("a-zA-Z0-9=_-"), 64, 64, 2, "fio-u-").cases(w("fio-u-9zhy8w5aqp42zc=lrisehq_fh=kql3a4a_7gjmag2rn9yrq6arajzg6515e5l=ie"), w("fio-u-x")),
		tok("sec.heroku-api-key", csURL, 58, 64, 3, "HRKU-").cases(w("HRKU-AAEw6AoYVP_TYhWEf1vFvY024yfuPwNQ2GE4kKvVjbvnRGQ_Dh6GfkdBTnTl"), w("HRKU-x")),
		tok("sec.infracost-api-token", csAlnum, 32, 32, 3, "ico-").check(func(_, before, _ []byte) bool { return len(before) == 0 || !csURL.has(before[len(before)-1]) }).cases(w("icoToken = ico-SY1uw67ERRvEYrUOJ21AOOyc2B0QnBoz"), w("Pub-ico-1bc826ecc0994dd8915be97fc3489cde")),
		tok("sec.intra42-client-secret", set("a-z0-9-"), 60, 80, 3, "s-s4t2ud-", "s-s4t2af-").cases(w("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"), w("s-s4t2af-x")),
		tok("sec.lob-api-key", csHex, 31, 35, 3, "live_", "test_", "live_pub_", "test_pub_").soft().cases(w("lob: test_260102b75c5f3268cbe731db85c207f7a74"), w("test_case_one")),
		tok("sec.harness-api-key", csDot, 60, 75, 3, "pat.", "sat.").check(func(b, _, _ []byte) bool {
			return len(b) == 68 && b[22] == '.' && b[47] == '.' && csAlnum.run(b, 22) == 22
		}).cases(w("harnessToken=sat.fh4ja5h9k3f6v8nn7g83k2.4m4xa965s5h5130wied59mvp.hg76w21u9jqf3wgwxxsz"), w("pat.x")),
		tok("sec.scalingo-api-token", csURL, 48, 48, 3, "tk-us-").cases(w("tk-us-loys7ib9yrxcys_ta2sq85mjar6lgcsspkd9x61s7h5epf_-"), w("tk-us-x")),
		tok("sec.sonar-api-token", csAlnum, 40, 40, 3, "sqa_", "sqp_", "squ_").cases(w("sqa_12345678ABCDEFH1234567890ABCDEFH12345678"), w("sqp_x")),
		tok("sec.plaid-api-token", set("a-f0-9-"), 36, 36, 3, "access-sandbox-", "access-development-", "access-production-").cases(w("access-sandbox-bf684403-18a8-76d4-bb26-a1abd68f202c"), w("access-sandbox-x")),
		tok("sec.facebook-access-token", csAlnum, 80, 300, 4, "EAAM", "EAAC").cases(w("EAAM9GOnCB9kBO2frzOAWGN2zMnZClQshlWydZCrBNdodesbwimx1mfVJgqZBP5RSpMfUzWhtjTTXHG5I1UlvlwRZCgjm3ZBVGeTYiqAAoxyED6HaUdhpGVNoPUwAuAWWFsi9OvyYBQt22DGLqMIgD7"), w("EAAMx")),
		tok("sec.yandex-access-token", csURL, 35, 40, 3, "AQVN", "YCN", "YC").check(func(b, _, _ []byte) bool { return len(b) == 35 || len(b) == 36 || len(b) == 38 }).soft().cases(w("yandexToken=AQVNQQ7egNQOmV5OE_bURTcfITM3547JyoPIB5sA"), w("AQVNx")),
		tok("sec.cohere-api-key", set(" =:\"'a-zA-Z0-9"), 40, 50, 3, "CO_API_KEY").cases(w("export CO_API_KEY=BKwx754D9GUO6J7bTHwJug8eWoDKvqc5KbGvQMm6"), w("CO_API_KEY=x")),
		tok("sec.ssh-key-putty", set("0-9"), 1, 1, 0, "PuTTY-User-Key-File-").check(func(_, _, after []byte) bool { return bytes.HasPrefix(after, []byte(": ")) }).cases(w("PuTTY-User-Key-File-2: ssh-rsa\nEncryption: none\n"), w("PuTTY-User-Key-File-x")),
		tok("sec.unix-hash", set("a-zA-Z0-9./$,="), 22, 160, 3, "$1$", "$5$", "$6$", "$2a$", "$2b$", "$2y$", "$y$", "$argon2").check(cryptHash).at(Confidential).cases(w("root:$6$rounds=5000$saltsalt$w2pJeZnnH8bwW3zzvoMWtTRfQYsHbWbDhquuQ5vUeIyl9gdwBIt6RWk2S6afBA0DPakbeWgD4SZPiS0hYtU:19000:"), w("$1$ $6$")),
		tok("sec.jwt-base64", csB64, 60, 900, 3.5, "ZXlKaGJHY2lPaU", "ZXlKMGVYQWlPaU", "ZXlKcmFXUWlPaU", "ZXlKaWNHUW", "ZXlKalpHUW", "ZXlKamRIa2lPaU", "ZXlKbGJtTWlPaU", "ZXlKemRXSWlPaU", "ZXlKMWNtd2lPaU", "ZXlKcGMzTWlPaU", "ZXlKd2MydGZiV", "ZXlKaU5qUWlPaU").at(Confidential).cases(w("ZXlKaGJHY2lPaUpJVXpJMU5pSXNJblI1Y0NJNklrcFhWQ0o5LmV5SnpkV0lpT2lJeE1qTTBOVFkzT0Rrd0lpd2libUZ0WlNJNklrcHZhRzRnUkc5bElpd2lhV0YwSWpveE5URTJNak01TURJeWZR"), w("ZXlKaGJHY2lPaU")),
	}
}

// near makes the token sure only with a word about it around.
func (t *token) near(words ...string) *token {
	t.Context = append(t.Context, words...)
	t.conf, t.ctx = Low, High
	return t
}

// inside lets the prefix stand within a word.
func (t *token) inside() *token { t.inner = true; return t }

// slackDigits holds that a Slack token has numbers in it.
func slackDigits(body, _, _ []byte) bool {
	_, _, digits, _ := classes(body)
	return digits >= 4
}

// lowerHex refuses hex in capitals.
func lowerHex(body, _, _ []byte) bool {
	_, upper, _, _ := classes(body)
	return upper == 0
}

func (t *token) anyCase() *token { t.caseless = true; return t }

// cryptHash holds the structure of crypt(5): parameters, salt, and a digest of the
// method's length.
func cryptHash(body, before, _ []byte) bool {
	i := bytes.LastIndexByte(body, '$')
	digest := body[i+1:]
	n := csCrypt.run(digest, len(digest))
	if i < 0 { // bcrypt: no dollar between salt and digest
		return false
	}
	if len(before) > 0 && isWordByte(before[len(before)-1]) {
		return false
	}
	switch n {
	case 22, 43, 53, 86:
		_, _, digits, _ := classes(digest[:n])
		return digits > 0
	}
	return n == len(digest) && n >= 32 && bytes.IndexByte(digest, '.') < 0 && i > 2
}

var csCrypt = set("a-zA-Z0-9./+")
