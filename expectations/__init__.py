"""What a model expects, and whether a batch meets it; nothing here knows of Prefect.

Read ``types`` (the table of what conforms to what), ``checking`` (the public call) and ``judging``
(the stages) first. The first line of each room says what it is; these are the neighbourhoods:

- The contract, and where it comes from: ``contract``, ``signature``, ``types``, ``policy``,
  ``params``, ``registry``, ``pinning``, ``stored``, ``patience``, ``downloads``.
- What arrives: ``batch``, ``opening``, ``formats``, ``arrivals``, ``parquet``, ``footer``,
  ``footer_bytes``, ``csv_records``, ``csv_layout``, ``csv_bytes``, ``csv_faults``, ``json_lines``,
  ``json_records``, ``arrow_files``, ``arrow_messages``, ``arrays``, ``array_files``, ``frames``,
  ``folders``, ``interchange``, ``streams``, ``reopening``; Python objects: ``objects``,
  ``object_columns``, ``object_leaves``, ``object_rules``, ``cell_by_cell``, ``grouping``,
  ``instants``.
- A column's way into its type: ``conforming``, ``cells``, ``casting``, ``parsing``,
  ``text_columns``, ``missing``, ``nesting``, ``records``, ``tensors``, ``stacking``, ``shapes``,
  ``faults``, ``handing``.
- The judgement: ``checking``, ``matching``, ``planning``, ``judging``, ``scanning``, ``merging``,
  ``rejecting``, ``overlaps``, ``verdict``, ``findings``, ``errors``.
- The suite, users' rules and Great Expectations: ``suite``, ``rules``, ``rule_reading``,
  ``rule_conditions``, ``rule_faults``, ``rule_words``, ``row_rules``, ``side_by_side``,
  ``table_rules``, ``shape_rules``, ``distinct``, ``quantiles``, ``measuring``, ``patterns``,
  ``terms``, ``ruling``, ``applying``, ``whole``, ``reference``, ``gx``, ``gx_answers``,
  ``gx_apart``, ``gx_docs``, ``gx_results``.
- What a model returns, and trying one out: ``output_schema``, ``output_faults``, ``returned``,
  ``readiness``, ``examples``, ``synthetic``.
- Drift: ``drift``, ``changes``, ``contract_changes``, ``param_changes``, ``output_changes``,
  ``batch_changes``, ``type_changes``, ``arriving_types``, ``renames``, ``recorded``,
  ``comparands``.
- Pages: ``pages``, ``report``, ``overview``, ``past``, ``pictures``, ``lifelines``, ``display``.
"""
