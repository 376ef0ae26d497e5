meta:
  id: mlc
  title: Neural speech codec stream (.mlc), version 1
  file-extension: mlc
  license: Apache-2.0
  ks-version: '0.10'
  endian: be
  bit-endian: be
doc: |
  Describes how the bytes of an .mlc file are laid out. SPEC.md also has what cannot be said here: checksums, limits,
  which block may follow which, and that numbers other than the header's length are written as short as possible.
seq:
  - id: streams
    type: stream
    repeat: eos
types:
  stream:
    seq:
      - id: header
        type: header
      - id: blocks
        type: block(header)
        repeat: until
        repeat-until: _.type == block_type::end
        if: not header.is_live
      - id: live_chunks
        type: live_chunk(header)
        repeat: eos
        if: header.is_live
  header:
    seq:
      - id: magic
        contents: [0x8d, M, L]
      - id: version_major
        type: b4
        valid: 1
      - id: version_minor
        type: b4
      - id: is_extended
        type: b1
        doc: Must-understand flag 3. Flags are numbered from the lowest bit of their nibble.
      - id: is_all_channels
        type: b1
        doc: Must-understand flag 2.
      - id: has_globals
        type: b1
        doc: Must-understand flag 1.
      - id: has_layout
        type: b1
        doc: Must-understand flag 0.
      - id: may_ignore_flags
        type: b4
      - id: more_must_understand_flags
        type: varint
        if: is_extended
        doc: Flags from 4 on, lowest bit first. Version 1.0 knows flags 4 and 5.
      - id: more_may_ignore_flags
        type: varint
        if: is_extended
      - id: bitstream_id
        size: 4
      - id: renderer_id
        size: 2
      - id: channels_less_1
        type: b3
      - id: rate_code
        type: b5
        doc: 0 if the rate follows as a number, else 1 and more for the rates in SPEC.md.
      - id: explicit_rate_hz
        type: varint
        if: rate_code == 0
      - id: explicit_layout
        type: layout
        if: has_layout
      - id: global_indices
        type: global_indices
        if: has_globals
      - id: tables_id
        size: 4
        if: is_entropy_coded
        doc: The tables with which chunks may be coded.
      - id: packet_frames
        type: u1
        if: is_live
        doc: Frames of each packet.
      - id: samples_plus_1
        type: varint
        doc: Length of the original per channel; 0 if it was unknown when the header was written.
      - id: checksum
        type: u2
    instances:
      is_entropy_coded:
        value: 'is_extended and (more_must_understand_flags.value & 1) != 0'
        doc: Must-understand flag 4.
      is_live:
        value: 'is_extended and (more_must_understand_flags.value & 2) != 0'
        doc: Must-understand flag 5.
      channels:
        value: channels_less_1 + 1
      coded_channels:
        value: 'is_all_channels ? channels : 1'
      index_bits:
        value: 'has_layout ? explicit_layout.index_bits : 10'
      rows:
        value: 'has_layout ? explicit_layout.rows : 1'
      num_frame_indices:
        value: coded_channels * rows
      num_packet_indices:
        value: 'is_live ? packet_frames * num_frame_indices : 0'
      len_packet:
        value: (num_packet_indices * index_bits + 7) / 8
        doc: Bytes of a packet.
      num_chunk_packets:
        value: 'is_live ? (has_layout ? explicit_layout.chunk_frames.value : 500) / packet_frames : 0'
      num_chunk_globals:
        value: 'has_globals and not global_indices.is_stream_scope ? global_indices.count * coded_channels : 0'
        doc: Global indices that every chunk begins with.
      global_bits:
        value: 'has_globals ? global_indices.bits : 0'
  layout:
    seq:
      - id: index_bits
        type: u1
      - id: rows
        type: u1
      - id: kind
        type: u1
        enum: layout_kind
      - id: model_rate_hz
        type: varint
      - id: frame_samples
        type: varint
      - id: chunk_frames
        type: varint
  global_indices:
    seq:
      - id: count
        type: u1
      - id: is_stream_scope
        type: b1
      - id: bits
        type: b7
  block:
    params:
      - id: header
        type: header
    seq:
      - id: type
        type: u1
        enum: block_type
      - id: len_body
        type: varint
      - id: body
        size: len_body.value
        type:
          switch-on: type
          cases:
            'block_type::end': end
            'block_type::codes': codes(header)
            'block_type::global_indices': globals(header)
            'block_type::tags': tags
      - id: checksum
        type: u4
  live_chunk:
    doc: Full, and with a check, unless it is the last.
    params:
      - id: header
        type: header
    seq:
      - id: packets
        size: header.len_packet
        type: packet(header)
        repeat: expr
        repeat-expr: num_packets
      - id: number
        type: u1
        if: is_full
        doc: Its lowest 8 bits.
      - id: checksum
        type: u2
        if: is_full
    instances:
      num_left:
        value: (_io.size - _io.pos) / header.len_packet
        doc: Packets that are there; computed before the first is read.
      is_full:
        value: num_packets == header.num_chunk_packets
      num_packets:
        value: 'num_left < 1 ? 1 : num_left < header.num_chunk_packets ? num_left : header.num_chunk_packets'
  packet:
    doc: Zeros fill its last byte.
    params:
      - id: header
        type: header
    seq:
      - id: indices
        type: index(header.index_bits)
        repeat: expr
        repeat-expr: header.num_packet_indices
        doc: Frame by frame, in a frame channel by channel, in a channel row by row.
  codes:
    params:
      - id: header
        type: header
    seq:
      - id: chunk
        type: chunk(header, num_frames)
        if: not is_coded
      - id: coded_chunk
        type: coded_chunk(header)
        if: is_coded
    instances:
      is_coded:
        value: header.is_entropy_coded and padding.last == 0
      padding:
        pos: 0
        type: padding
      num_frames:
        value: (padding.num_bits - header.num_chunk_globals * header.global_bits) / (header.num_frame_indices * header.index_bits)
  chunk:
    params:
      - id: header
        type: header
      - id: num_frames
        type: s4
    seq:
      - id: globals
        type: index(header.global_bits)
        repeat: expr
        repeat-expr: header.num_chunk_globals
        doc: Channel by channel.
      - id: indices
        type: index(header.index_bits)
        repeat: expr
        repeat-expr: num_frames * header.num_frame_indices
        doc: Frame by frame, in a frame channel by channel, in a channel row by row.
      - id: stop_bit
        type: b1
        valid: true
  coded_chunk:
    doc: Section 15 of SPEC.md says how states and words become indices.
    params:
      - id: header
        type: header
    seq:
      - id: short_frames
        type: varint
        doc: 0 if the chunk is full.
      - id: globals
        type: index(header.global_bits)
        repeat: expr
        repeat-expr: header.num_chunk_globals
        doc: Channel by channel; what follows begins with a byte.
      - id: states
        type: u4
        repeat: expr
        repeat-expr: header.num_frame_indices
        doc: Row by row, in a row channel by channel.
      - id: words
        type: u2
        repeat: expr
        repeat-expr: (_io.size - _io.pos - 1) / 2
      - id: end
        contents: [0]
  globals:
    params:
      - id: header
        type: header
    seq:
      - id: globals
        type: index(header.global_bits)
        repeat: expr
        repeat-expr: header.global_indices.count * header.coded_channels
      - id: stop_bit
        type: b1
        valid: true
  padding:
    doc: Finds the stop bit, which is the last 1 of the body and lies in its last byte.
    instances:
      last:
        pos: _io.size - 1
        type: u1
      num_after_stop:
        value: |
          (last & 1) != 0 ? 0 : (last & 2) != 0 ? 1 : (last & 4) != 0 ? 2 : (last & 8) != 0 ? 3 :
          (last & 16) != 0 ? 4 : (last & 32) != 0 ? 5 : (last & 64) != 0 ? 6 : 7
      num_bits:
        value: _io.size * 8 - 1 - num_after_stop
        doc: Before the stop bit.
  index:
    doc: One of the sixteen widths, as a bit field's width cannot be computed.
    params:
      - id: bits
        type: u1
    seq:
      - id: bits_1
        type: b1
        if: bits == 1
      - id: bits_2
        type: b2
        if: bits == 2
      - id: bits_3
        type: b3
        if: bits == 3
      - id: bits_4
        type: b4
        if: bits == 4
      - id: bits_5
        type: b5
        if: bits == 5
      - id: bits_6
        type: b6
        if: bits == 6
      - id: bits_7
        type: b7
        if: bits == 7
      - id: bits_8
        type: b8
        if: bits == 8
      - id: bits_9
        type: b9
        if: bits == 9
      - id: bits_10
        type: b10
        if: bits == 10
      - id: bits_11
        type: b11
        if: bits == 11
      - id: bits_12
        type: b12
        if: bits == 12
      - id: bits_13
        type: b13
        if: bits == 13
      - id: bits_14
        type: b14
        if: bits == 14
      - id: bits_15
        type: b15
        if: bits == 15
      - id: bits_16
        type: b16
        if: bits == 16
    instances:
      value:
        value: |
          bits == 1 ? bits_1.to_i :
          bits == 2 ? bits_2 :
          bits == 3 ? bits_3 :
          bits == 4 ? bits_4 :
          bits == 5 ? bits_5 :
          bits == 6 ? bits_6 :
          bits == 7 ? bits_7 :
          bits == 8 ? bits_8 :
          bits == 9 ? bits_9 :
          bits == 10 ? bits_10 :
          bits == 11 ? bits_11 :
          bits == 12 ? bits_12 :
          bits == 13 ? bits_13 :
          bits == 14 ? bits_14 :
          bits == 15 ? bits_15 : bits_16
  tags:
    seq:
      - id: tags
        type: tag
        repeat: eos
  tag:
    seq:
      - id: len_text
        type: varint
      - id: text
        size: len_text.value
        type: str
        encoding: UTF-8
        doc: KEY=value
  end:
    seq:
      - id: frames
        type: varint
      - id: samples
        type: varint
        if: not _io.eof
        doc: Always there if the header does not say the length.
  varint:
    doc: Unsigned LEB128 of at most seven bytes.
    seq:
      - id: groups
        type: varint_group
        repeat: until
        repeat-until: not _.has_next
    instances:
      value:
        value: |
          groups[0].value
          + (groups.size > 1 ? groups[1].value * 128 : 0)
          + (groups.size > 2 ? groups[2].value * 16384 : 0)
          + (groups.size > 3 ? groups[3].value * 2097152 : 0)
          + (groups.size > 4 ? groups[4].value * 268435456 : 0)
          + (groups.size > 5 ? groups[5].value * 34359738368 : 0)
          + (groups.size > 6 ? groups[6].value * 4398046511104 : 0)
  varint_group:
    seq:
      - id: has_next
        type: b1
      - id: value
        type: b7
enums:
  block_type:
    0x00: end
    0x01: codes
    0x02: global_indices
    0x81: tags
    0x82: padding
  layout_kind:
    0: stages
    1: column
