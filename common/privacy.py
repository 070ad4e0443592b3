"""The personal-data register: what each column of each table is.

``personal``: tells something about a person, or finds one (a blind index, a keyed digest); given out at export, cleared
at erasure, kept out of the audit trail. ``secret``: opens something; never given out. ``open``: anything else.
A test fails for a column that is not declared here, and for an audit trigger that would copy a personal or secret one.
"""

from typing import Literal, NamedTuple

Nature = Literal["personal", "secret", "open"]


class Declared(NamedTuple):
    """The columns of one model by nature, as words."""

    open: str
    personal: str = ""
    hidden: str = ""


REGISTER: dict[str, Declared] = {
    # --- platform
    "brands.Brand": Declared(
        "id schema_name uuid name name_zh short_name short_name_zh hotline default_language time_zone colour on_colour"
        " logo_svg filing_no activation_requires activation_limit claim_limit labels_max_odds"
        " gs1_prefix created_at"
    ),
    "brands.Domain": Declared("id domain tenant is_primary"),
    "brands.SlotLease": Declared("id form number brand leased_at ended_at"),
    "brands.CarrierAccount": Declared(
        "id uuid name carrier sources is_active created_at", hidden="secrets_blob path_digest"
    ),
    "brands.PhoneNumber": Declared(
        "id e164 account brand base_url languages texts takes_texts takes_calls preference is_active created_at"
    ),
    # of the sender only "138****8000" is kept
    "brands.UnroutedMessage": Declared(
        "id carrier message_id number sender_masked length form slot language answered received_at"
    ),
    # --- staff
    "staff.User": Declared(
        # under the user name people act for the brand: it stays in the trail
        "id username is_superuser is_staff is_active date_joined last_login role language regions failures",
        personal="first_name last_name email",
        hidden="password",
    ),
    "staff.User_groups": Declared("id user group"),
    "staff.User_user_permissions": Declared("id user permission"),
    "staff.ApiKey": Declared(
        "id name prefix scopes is_test created_by created_at expires_at last_used_at revoked_at", hidden="digest"
    ),
    "staff.BrandKey": Declared("id kind name version kek_id created_at destroyed_at", hidden="blob"),
    "staff.Approval": Declared(
        "id kind payload payload_hash requested_by requested_at expires_at decided_by decided_at approved note"
        " consumed_at"
    ),
    "staff.Audit": Declared("id at table_name row_id act before after actor reason request_id ip_prefix"),
    "auth.Permission": Declared("id name content_type codename"),
    "auth.Group": Declared("id name"),
    "auth.Group_permissions": Declared("id group permission"),
    "contenttypes.ContentType": Declared("id app_label model"),
    "sessions.Session": Declared("expire_date", hidden="session_key session_data"),
    "account.EmailAddress": Declared("id user verified primary", personal="email"),
    "account.EmailConfirmation": Declared("id email_address created sent", hidden="key"),
    "mfa.Authenticator": Declared("id user type created_at last_used_at", hidden="data"),
    "common.Job": Declared(
        "id public_id kind subject state done total detail error cancel_asked asked_by created_at started_at beat_at"
        " resumed_at resumed_done ended_at"
    ),
    "common.PeriodicRun": Declared("id task period started_at ended_at"),
    # --- labels
    "labels.Product": Declared(
        "id public_id gtin sku name name_zh description description_zh margin currency is_active created_at"
    ),
    "labels.ProductLink": Declared(
        "id product link_type href title title_zh language media_type is_default created_at"
    ),
    "labels.Slot": Declared("id purpose form number generation root_version state created_at"),
    "labels.LabelCounter": Declared("id next version"),
    "labels.Batch": Declared(
        "id public_id number order_key order_hash product gtin_printed count roll_labels label_range canary_range"
        " secret_slot serial_slot state activate_by generated_at created_at ordered_by job"
    ),
    "labels.Activation": Declared(
        "id batch label_range product lot expires_on market valid_until document activated_at activated_by"
        " cancelled_at cancelled_by"
    ),
    "labels.Block": Declared(
        "id batch label_range reason recall spares_redeemed note opened_at opened_by lifted_at lifted_by"
    ),
    "labels.Manifest": Declared("id batch root nodes job asked_at"),
    "labels.HandoverHold": Declared("id batch name note opened_at lifted_at"),
    "labels.Roll": Declared(
        "id batch number label_range state set_up lines good spoiled unaccounted sampled document handed_over_at"
        " received_at received_by"
    ),
    "labels.Sighting": Declared("id roll label_no times seen_at seen_by"),
    "labels.Recall": Declared("id product lot label_range labels note opened_at opened_by lifted_at lifted_by"),
    # --- printing
    "printing.Press": Declared("id public_id name recipient fingerprint checked_at checked_by is_active created_at"),
    "printing.PrintJob": Declared(
        "id public_id batch first_roll last_roll press recipient output version values proof reissue_of approval"
        " requester approver job requested_at started_at"
    ),
    "printing.Handover": Declared(
        "id public_id print_job roll requester approver canary_range state lines plain_hash cipher_hash cipher_bytes"
        " report manifest signature ready_at expires_at downloaded_at downloaded_by acknowledged_at deleted_at lost_at lost_by"
    ),
    "printing.PressAccount": Declared("id press user created_at created_by"),
    "printing.SignOff": Declared("id sheet template_hash file_hash signed_by signed_at note"),
    "printing.Art": Declared("id sha256 name media_type data width height source_sha256 created_at created_by"),
    "printing.Template": Declared("id public_id name kind is_active created_at created_by"),
    "printing.TemplateVersion": Declared("id template number layout sha256 created_at created_by"),
    "printing.DefaultTemplate": Declared("id product kind template"),
    "printing.SsccCounter": Declared("id prefix next"),
    # subjects: ids of the partners or members whose talkers or cards are printed
    "printing.Run": Declared(
        "id public_id order_key version kind count batch inside label_range per_pack lot numbers subjects note"
        " created_at created_by cancelled_at"
    ),
    # --- ledger: an account does not know its holder
    "ledger.Account": Declared("id posted held floor clawback_of created_at public_id unit kind party role status"),
    "ledger.Transfer": Declared(
        "id debit credit amount cause_id posted_at xact expires_on kind cause_kind linked recorded_by"
    ),
    "ledger.Lot": Declared("account left expires_on"),
    "ledger.LotUse": Declared("transfer amount expires_on"),
    "ledger.Hold": Declared("id account amount settled cause_id cause_kind state created_at expires_at ended_at"),
    "ledger.Anchor": Declared("id kind subject hash at xact"),
    "ledger.Seal": Declared(
        "n era xact_from xact_to upcoming seen_transfer seen_anchor transfers first_transfer last_transfer anchors"
        " first_anchor last_anchor root previous hash key signature sealed_at"
    ),
    "ledger.SealCopy": Declared("id seal day place hash at"),
    # --- messages
    "sms_gateway.OutboundMessage": Declared(
        "id uuid purpose language template state priority attempts due_at problem number carrier carrier_ref parts cost"
        " created_at sent_at ended_at",
        personal="to_cipher to_index body_cipher parameters_cipher",
    ),
    "sms_gateway.InboundMessage": Declared(
        "id uuid carrier message_id number received_at state attempts due_at problem decided_at reply_state silence reply"
        " opt_out",
        personal="from_cipher from_index body_cipher body_mac error_mac",
    ),
    "sms_gateway.SendTry": Declared("id message number carrier at took_ms ok code"),
    "sms_gateway.DeliveryReport": Declared("id message status code parts cost at", hidden="mac"),
    # kept at erasure: the wish to be left alone outlives the member
    "sms_gateway.Suppression": Declared("id source since_at lifted_at", personal="to_index"),
    "sms_gateway.Call": Declared(
        "id uuid carrier call_id number started_at ended_at duration_s cost", personal="caller_cipher caller_index"
    ),
    "sms_gateway.CallTurn": Declared(
        "id uuid call turn step language asked_at due_at answered_at",
        personal="digits_cipher answer_cipher state_cipher",
    ),
    "sms_gateway.CountryRate": Declared("id region part_price"),
    "sms_gateway.SpendingBudget": Declared("id subject key per_day"),
    "sms_gateway.Spending": Declared("id subject day spent refused last_refused_at", personal="key_index"),
    # --- members and partners
    "members.Member": Declared(
        "id public_id uuid state account created_at activated_at erased_at failures",
        personal="phone_cipher phone_index name_cipher language",
    ),
    "members.Consent": Declared("id member purpose granted wording_version door at"),
    "members.SignInCode": Declared("id expires_at tries", personal="phone_index", hidden="uuid"),
    "members.CodeSend": Declared("id country at", personal="phone_index network_index"),
    "members.PendingHolder": Declared(
        "id client_id account created_at lapses_at claimed_by claimed_at lapsed_at", personal="asker_index"
    ),
    "members.Erasure": Declared("id member asked_by points_settled at"),
    # a partner's names are those on the shop's sign or the promoter's badge
    "channel.Partner": Declared(
        "id public_id number kind name name_zh region region_name region_name_zh state account created_at"
        " parent gln zone sells_online"
    ),
    "channel.Contract": Declared("id partner number valid_from valid_to note"),
    "channel.ProductLine": Declared("id public_id name name_zh"),
    "channel.ProductLine_products": Declared("id productline product"),
    "channel.Territory": Declared("id partner region line valid_from valid_to is_shared"),
    "channel.Region": Declared("id code kind parent name name_zh lat lon population valid_from valid_to replaced_by"),
    "channel.Unit": Declared("id public_id sscc kind product lot is_foreign created_at retired_at"),
    "channel.UnitAlias": Declared("id sscc unit replaced_at"),
    "channel.UnitRange": Declared("id unit label_range opened_at closed_at"),
    "channel.UnitParent": Declared("id child parent opened_at closed_at"),
    # recorded_by: staff or a partner's people act under their user names
    "channel.Document": Declared(
        "id public_id kind issuer number content_hash state status source destination market refers reason site"
        " accepted duplicate rejected labels happened_at recorded_at recorded_by source_agreed_at"
        " destination_agreed_at brand_agreed_at swept_at told_at"
    ),
    "channel.Capture": Declared(
        "id public_id behaviour payload_hash by created_at ended_at success captured duplicates errors"
    ),
    "channel.Event": Declared(
        "id event_id digest is_error kind action biz_step disposition event_time record_time epcs body capture document"
        " applied origin spans"
    ),
    "channel.Told": Declared("source key"),
    "channel.Document_blocks": Declared("id document block"),
    "channel.Line": Declared("id document place item condition unit labels outcome reason held_by"),
    "channel.Movement": Declared("id document label_range unit source destination state voids happened_at recorded_at"),
    "channel.Custody": Declared("id label_range during movement partner state shipment shipped_at distributor market"),
    "portal.Account": Declared("id partner user created_at"),
    "portal.Invitation": Declared(
        "id public_id partner username language created_at created_by expires_at used_at withdrawn_at",
        hidden="digest",
    ),
    "portal.PartnerKey": Declared("id partner key"),
    # --- campaigns
    "lottery.Campaign": Declared(
        "id public_id kind name name_zh state opens_at closes_at ended_at halt_reason daily_cap total_cap created_at"
        " created_by uuid zone places terms published_at"
    ),
    "lottery.RulesVersion": Declared("id campaign n content hash key signature reason published_at published_by xact"),
    "lottery.Plan": Declared("campaign steps saved_at saved_by"),
    "lottery.LawDocument": Declared("id campaign item name media_type data hash brought_by at"),
    "lottery.RulesChange": Declared("id campaign content proposed_at proposed_by dropped_at version"),
    "lottery.Filing": Declared("id campaign item due_on done_at done_by note"),
    "lottery.SignOff": Declared("id campaign item name note signed_by at"),
    "lottery.PrizeTier": Declared(
        "id campaign use tier kind name name_zh quantity points unit_cost market_price delivery_cost withheld_tax"
        " currency claim_days id_level alternates"
    ),
    "lottery.Claim": Declared(
        "id public_id campaign tier play pick unit account member state won_at deadline_at moved_at reminded"
    ),
    "lottery.ClaimDetails": Declared("claim uuid given_at", personal="cipher courier tracking_no"),
    "lottery.ClaimDocument": Declared(
        "id claim uuid kind added_at added_by seen_at seen_by deleted_at", personal="cipher"
    ),
    "lottery.VoucherCode": Declared("id tier uuid claim taken_at uploaded_at uploaded_by", hidden="cipher index"),
    "lottery.Payout": Declared("id claim key amount currency state tries due_at problem reference made_at paid_at"),
    "lottery.ClaimMove": Declared("id claim before after reason moved_by at"),
    "lottery.Pool": Declared(
        "id campaign number name quantities ranges excluded eligible manifest_roots",
        hidden="ranges_salt excluded_salt thresholds",
    ),
    "lottery.PoolRange": Declared("id campaign pool label_range"),
    "lottery.Commitment": Declared("id campaign attempt kind content hash key signature at made_by"),
    "lottery.Play": Declared("id label_no scan_id account at campaign pool tier outcome reason version over_budget"),
    "lottery.Draw": Declared(
        "id public_id uuid campaign number opens_at close_at state rules rules_hash rules_key rules_signature rules_at prizes round root"
        " root_json root_signature excluded seed result listed_at published_at"
    ),
    "lottery.Entry": Declared(
        "id draw account who kin weight source source_id request_id ref leaf state void_reason at voided_at"
    ),
    "lottery.FreeEntry": Declared("id draw account request_id at"),
    "lottery.Pick": Declared("id draw pick_no entry tier unit role tries"),
    "lottery.Bundle": Declared("id campaign draw kind edition data hash at"),
    "lottery.BeaconValue": Declared("id source chain round value url brought_by at"),
    "lottery.TypedValue": Declared("id chain round text published_on url image typed_by at"),
    "lottery.Exclusion": Declared("id by why note added_by added_at removed_at", personal="index"),
    "lottery.Household": Declared("id household declared_at", personal="index"),
    "lottery.LimitUse": Declared("id campaign act since used", personal="subject"),
    "lottery.Award": Declared("id campaign product party points expires_after_months"),
    "lottery.Budget": Declared("id campaign tier total"),
    "lottery.BudgetSlot": Declared("id budget slot left"),
    "lottery.CapUse": Declared("id campaign account day used"),
    # --- redemption: of people scans and wins hold opaque numbers only
    "redemption.Scan": Declared(
        "id at label_no asker points balance first_scan_id client_id product_id earlier_count ended_on act door outcome"
        " detail by want got tries_left opens_visit by_serial spent"
    ),
    "redemption.Redemption": Declared(
        "label_no scan_id at asker account_id points retailer_points promoter_points product campaign retailer promoter"
        " client_id"
    ),
    "redemption.Reversal": Declared("redemption at reason asked_by"),
    "redemption.Request": Declared("scan_id client_id door request_id", hidden="content_mac"),
    "redemption.ScanPlace": Declared(
        "scan_id source region city city_zh confidence datum consent beside at", personal="lat lon accuracy_m"
    ),
    "redemption.ScanRoute": Declared("scan_id label_no at shipment_id unit_id distributor_id market as_of"),
    "redemption.Caution": Declared(
        "id public_id label_range effect reason note opened_at opened_by lifted_at lifted_by outcome"
    ),
    "redemption.HeldReward": Declared("hold_id caution scan_id label_no"),
    "redemption.FailedInput": Declared("scan_id masked", hidden="mac"),
    "redemption.Visitor": Declared("id created_at", personal="mac"),
    "redemption.WasThatYou": Declared("id scan_id yes at"),
    "redemption.FailureRow": Declared("id at target kind", personal="subject_mac"),
    "redemption.Refused": Declared("id minute kind count", personal="subject_mac"),
    "redemption.ConsumerReport": Declared(
        "id public_id uuid request_id kind label member_id at", personal="bought_at note phone_cipher"
    ),
    "redemption.Wording": Declared("id key language words one changed_by changed_at"),
    # the voice of whoever spoke it
    "redemption.Recording": Declared(
        "id public_id prompt language media_type size uploaded_by uploaded_at", personal="audio"
    ),
    "redemption.CallNote": Declared("id call_id member_id kind by at", personal="text"),
    # --- analytics: of goods and codes
    "analytics.FitRun": Declared(
        "id public_id began_at ended_at scans_from scans_until eta parameters counts data_hash code_version seconds"
        " alert_from"
    ),
    "analytics.FitState": Declared("run blob"),
    "analytics.ShipmentScore": Declared(
        "shipment_id run distributor_id dest_id probability scans log_factors scored_at"
    ),
    "analytics.Finding": Declared(
        "id public_id run shipment_id distributor_id dest_id probability distributor_probability alert level"
        " expected_cases expected_units labels devices cases scans shipped_labels first_scan_at last_scan_at travelled"
        " online border away without scans_away expected_away copied_labels products margin currency priority found_at"
    ),
    "analytics.CaseFinding": Declared("id finding unit_id label_no holder_id probability scans"),
    "analytics.ScanFinding": Declared("id finding scan_id score"),
    "analytics.RouteFinding": Declared("id run distributor_id dest_id expected_shipments expected_cases"),
    "analytics.CodeVerdict": Declared("id label_no decision note decided_at decided_by"),
    "analytics.FarmFinding": Declared(
        "id public_id run kind unit_id asker first_label last_label redeemed labels chance found_at"
    ),
    "analytics.CodeFinding": Declared("id run label_no kind score follow_ups scan_id found_at"),
    "analytics.FairnessReport": Declared("id campaign made_at content"),
    "analytics.Verdict": Declared("id shipment_id finding probability decision decided_at decided_by"),
    "analytics.Tempering": Declared("id eta verdicts set_at"),
    "analytics.ScanHour": Declared("hour distributor_id owner_id product_id scans placed first_scans redemptions"),
    "analytics.RegionDay": Declared("day region distributor_id source owner_id scans"),
    "analytics.Inspector": Declared("asker note added_at added_by"),
    # by whom: user names, as in the trail; where an investigator stood is blanked when the file is old
    "analytics.Case": Declared(
        "id public_id shipment_id distributor_id finding state assignee due_on opened_at opened_by moved_at"
    ),
    "analytics.CaseEntry": Declared("id case at by kind text data"),
    "analytics.FieldCheck": Declared(
        "id case uuid label label_no shop invoice price note done_at by", personal="lat lon accuracy_m"
    ),
    "analytics.CaseQuestion": Declared(
        "id public_id case partner_id text released asked_at asked_by answer_by answered_at"
    ),
    "analytics.CaseAnswer": Declared("id uuid question text at by"),
    "analytics.CasePhoto": Declared(
        "id public_id uuid case check_of answer sha256 size media_type name at by", personal="lat lon accuracy_m"
    ),
    "analytics.CasePhotoContent": Declared("photo", personal="cipher"),
    "analytics.CaseDecision": Declared(
        "id case verdict decision reason penalty told heard investigators at decided_by"
    ),
    "analytics.Appeal": Declared("id decision text partner_id at by"),
    "analytics.EvidenceBundle": Declared("id public_id uuid case job asked_at asked_by sha256 size made_at"),
    "analytics.Touched": Declared("grain start n"),
    "analytics.TouchedShipment": Declared("shipment_id n"),
}


def natures(model: str) -> dict[str, Nature]:
    """Return the nature of each column of a model ("members.Member"). Raises KeyError for a model not declared."""
    declared = REGISTER[model]
    words: dict[Nature, str] = {"open": declared.open, "personal": declared.personal, "secret": declared.hidden}
    return {name: nature for nature, names in words.items() for name in names.split()}
