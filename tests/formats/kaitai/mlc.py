# ruff: noqa
# fmt: off
# Printed by compile.js, which says how.
# This is a generated file! Please edit source .ksy file and use kaitai-struct-compiler to rebuild
# type: ignore

import kaitaistruct
from kaitaistruct import KaitaiStruct, KaitaiStream, BytesIO
from enum import IntEnum


if getattr(kaitaistruct, 'API_VERSION', (0, 9)) < (0, 11):
    raise Exception("Incompatible Kaitai Struct Python API: 0.11 or later is required, but you have %s" % (kaitaistruct.__version__))

class Mlc(KaitaiStruct):
    """Describes how the bytes of an .mlc file are laid out. SPEC.md also has what cannot be said here: checksums, limits,
    which block may follow which, and that numbers other than the header's length are written as short as possible.
    """

    class BlockType(IntEnum):
        end = 0
        codes = 1
        global_indices = 2
        tags = 129
        padding = 130

    class LayoutKind(IntEnum):
        stages = 0
        column = 1
    def __init__(self, _io, _parent=None, _root=None):
        super(Mlc, self).__init__(_io)
        self._parent = _parent
        self._root = _root or self
        self._read()

    def _read(self):
        self.streams = []
        i = 0
        while not self._io.is_eof():
            self.streams.append(Mlc.Stream(self._io, self, self._root))
            i += 1



    def _fetch_instances(self):
        pass
        for i in range(len(self.streams)):
            pass
            self.streams[i]._fetch_instances()


    class Block(KaitaiStruct):
        def __init__(self, header, _io, _parent=None, _root=None):
            super(Mlc.Block, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self.header = header
            self._read()

        def _read(self):
            self.type = KaitaiStream.resolve_enum(Mlc.BlockType, self._io.read_u1())
            self.len_body = Mlc.Varint(self._io, self, self._root)
            _on = self.type
            if _on == Mlc.BlockType.codes:
                pass
                self._raw_body = self._io.read_bytes(self.len_body.value)
                _io__raw_body = KaitaiStream(BytesIO(self._raw_body))
                self.body = Mlc.Codes(self.header, _io__raw_body, self, self._root)
            elif _on == Mlc.BlockType.end:
                pass
                self._raw_body = self._io.read_bytes(self.len_body.value)
                _io__raw_body = KaitaiStream(BytesIO(self._raw_body))
                self.body = Mlc.End(_io__raw_body, self, self._root)
            elif _on == Mlc.BlockType.global_indices:
                pass
                self._raw_body = self._io.read_bytes(self.len_body.value)
                _io__raw_body = KaitaiStream(BytesIO(self._raw_body))
                self.body = Mlc.Globals(self.header, _io__raw_body, self, self._root)
            elif _on == Mlc.BlockType.tags:
                pass
                self._raw_body = self._io.read_bytes(self.len_body.value)
                _io__raw_body = KaitaiStream(BytesIO(self._raw_body))
                self.body = Mlc.Tags(_io__raw_body, self, self._root)
            else:
                pass
                self.body = self._io.read_bytes(self.len_body.value)
            self.checksum = self._io.read_u4be()


        def _fetch_instances(self):
            pass
            self.len_body._fetch_instances()
            _on = self.type
            if _on == Mlc.BlockType.codes:
                pass
                self.body._fetch_instances()
            elif _on == Mlc.BlockType.end:
                pass
                self.body._fetch_instances()
            elif _on == Mlc.BlockType.global_indices:
                pass
                self.body._fetch_instances()
            elif _on == Mlc.BlockType.tags:
                pass
                self.body._fetch_instances()
            else:
                pass


    class Chunk(KaitaiStruct):
        def __init__(self, header, num_frames, _io, _parent=None, _root=None):
            super(Mlc.Chunk, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self.header = header
            self.num_frames = num_frames
            self._read()

        def _read(self):
            self.globals = []
            for i in range(self.header.num_chunk_globals):
                self.globals.append(Mlc.Index(self.header.global_bits, self._io, self, self._root))

            self.indices = []
            for i in range(self.num_frames * self.header.num_frame_indices):
                self.indices.append(Mlc.Index(self.header.index_bits, self._io, self, self._root))

            self.stop_bit = self._io.read_bits_int_be(1) != 0
            if not self.stop_bit == True:
                raise kaitaistruct.ValidationNotEqualError(True, self.stop_bit, self._io, u"/types/chunk/seq/2")


        def _fetch_instances(self):
            pass
            for i in range(len(self.globals)):
                pass
                self.globals[i]._fetch_instances()

            for i in range(len(self.indices)):
                pass
                self.indices[i]._fetch_instances()



    class CodedChunk(KaitaiStruct):
        """Section 15 of SPEC.md says how states and words become indices."""
        def __init__(self, header, _io, _parent=None, _root=None):
            super(Mlc.CodedChunk, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self.header = header
            self._read()

        def _read(self):
            self.short_frames = Mlc.Varint(self._io, self, self._root)
            self.globals = []
            for i in range(self.header.num_chunk_globals):
                self.globals.append(Mlc.Index(self.header.global_bits, self._io, self, self._root))

            self.states = []
            for i in range(self.header.num_frame_indices):
                self.states.append(self._io.read_u4be())

            self.words = []
            for i in range(((self._io.size() - self._io.pos()) - 1) // 2):
                self.words.append(self._io.read_u2be())

            self.end = self._io.read_bytes(1)
            if not self.end == b"\x00":
                raise kaitaistruct.ValidationNotEqualError(b"\x00", self.end, self._io, u"/types/coded_chunk/seq/4")


        def _fetch_instances(self):
            pass
            self.short_frames._fetch_instances()
            for i in range(len(self.globals)):
                pass
                self.globals[i]._fetch_instances()

            for i in range(len(self.states)):
                pass

            for i in range(len(self.words)):
                pass



    class Codes(KaitaiStruct):
        def __init__(self, header, _io, _parent=None, _root=None):
            super(Mlc.Codes, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self.header = header
            self._read()

        def _read(self):
            if (not (self.is_coded)):
                pass
                self.chunk = Mlc.Chunk(self.header, self.num_frames, self._io, self, self._root)

            if self.is_coded:
                pass
                self.coded_chunk = Mlc.CodedChunk(self.header, self._io, self, self._root)



        def _fetch_instances(self):
            pass
            if (not (self.is_coded)):
                pass
                self.chunk._fetch_instances()

            if self.is_coded:
                pass
                self.coded_chunk._fetch_instances()

            _ = self.padding
            if hasattr(self, '_m_padding'):
                pass
                self._m_padding._fetch_instances()


        @property
        def is_coded(self):
            if hasattr(self, '_m_is_coded'):
                return self._m_is_coded

            self._m_is_coded =  ((self.header.is_entropy_coded) and (self.padding.last == 0)) 
            return getattr(self, '_m_is_coded', None)

        @property
        def num_frames(self):
            if hasattr(self, '_m_num_frames'):
                return self._m_num_frames

            self._m_num_frames = (self.padding.num_bits - self.header.num_chunk_globals * self.header.global_bits) // (self.header.num_frame_indices * self.header.index_bits)
            return getattr(self, '_m_num_frames', None)

        @property
        def padding(self):
            if hasattr(self, '_m_padding'):
                return self._m_padding

            _pos = self._io.pos()
            self._io.seek(0)
            self._m_padding = Mlc.Padding(self._io, self, self._root)
            self._io.seek(_pos)
            return getattr(self, '_m_padding', None)


    class End(KaitaiStruct):
        def __init__(self, _io, _parent=None, _root=None):
            super(Mlc.End, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            self.frames = Mlc.Varint(self._io, self, self._root)
            if (not (self._io.is_eof())):
                pass
                self.samples = Mlc.Varint(self._io, self, self._root)



        def _fetch_instances(self):
            pass
            self.frames._fetch_instances()
            if (not (self._io.is_eof())):
                pass
                self.samples._fetch_instances()



    class GlobalIndices(KaitaiStruct):
        def __init__(self, _io, _parent=None, _root=None):
            super(Mlc.GlobalIndices, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            self.count = self._io.read_u1()
            self.is_stream_scope = self._io.read_bits_int_be(1) != 0
            self.bits = self._io.read_bits_int_be(7)


        def _fetch_instances(self):
            pass


    class Globals(KaitaiStruct):
        def __init__(self, header, _io, _parent=None, _root=None):
            super(Mlc.Globals, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self.header = header
            self._read()

        def _read(self):
            self.globals = []
            for i in range(self.header.global_indices.count * self.header.coded_channels):
                self.globals.append(Mlc.Index(self.header.global_bits, self._io, self, self._root))

            self.stop_bit = self._io.read_bits_int_be(1) != 0
            if not self.stop_bit == True:
                raise kaitaistruct.ValidationNotEqualError(True, self.stop_bit, self._io, u"/types/globals/seq/1")


        def _fetch_instances(self):
            pass
            for i in range(len(self.globals)):
                pass
                self.globals[i]._fetch_instances()



    class Header(KaitaiStruct):
        def __init__(self, _io, _parent=None, _root=None):
            super(Mlc.Header, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            self.magic = self._io.read_bytes(3)
            if not self.magic == b"\x8D\x4D\x4C":
                raise kaitaistruct.ValidationNotEqualError(b"\x8D\x4D\x4C", self.magic, self._io, u"/types/header/seq/0")
            self.version_major = self._io.read_bits_int_be(4)
            if not self.version_major == 1:
                raise kaitaistruct.ValidationNotEqualError(1, self.version_major, self._io, u"/types/header/seq/1")
            self.version_minor = self._io.read_bits_int_be(4)
            self.is_extended = self._io.read_bits_int_be(1) != 0
            self.is_all_channels = self._io.read_bits_int_be(1) != 0
            self.has_globals = self._io.read_bits_int_be(1) != 0
            self.has_layout = self._io.read_bits_int_be(1) != 0
            self.may_ignore_flags = self._io.read_bits_int_be(4)
            if self.is_extended:
                pass
                self.more_must_understand_flags = Mlc.Varint(self._io, self, self._root)

            if self.is_extended:
                pass
                self.more_may_ignore_flags = Mlc.Varint(self._io, self, self._root)

            self.bitstream_id = self._io.read_bytes(4)
            self.renderer_id = self._io.read_bytes(2)
            self.channels_less_1 = self._io.read_bits_int_be(3)
            self.rate_code = self._io.read_bits_int_be(5)
            if self.rate_code == 0:
                pass
                self.explicit_rate_hz = Mlc.Varint(self._io, self, self._root)

            if self.has_layout:
                pass
                self.explicit_layout = Mlc.Layout(self._io, self, self._root)

            if self.has_globals:
                pass
                self.global_indices = Mlc.GlobalIndices(self._io, self, self._root)

            if self.is_entropy_coded:
                pass
                self.tables_id = self._io.read_bytes(4)

            if self.is_live:
                pass
                self.packet_frames = self._io.read_u1()

            self.samples_plus_1 = Mlc.Varint(self._io, self, self._root)
            self.checksum = self._io.read_u2be()


        def _fetch_instances(self):
            pass
            if self.is_extended:
                pass
                self.more_must_understand_flags._fetch_instances()

            if self.is_extended:
                pass
                self.more_may_ignore_flags._fetch_instances()

            if self.rate_code == 0:
                pass
                self.explicit_rate_hz._fetch_instances()

            if self.has_layout:
                pass
                self.explicit_layout._fetch_instances()

            if self.has_globals:
                pass
                self.global_indices._fetch_instances()

            if self.is_entropy_coded:
                pass

            if self.is_live:
                pass

            self.samples_plus_1._fetch_instances()

        @property
        def channels(self):
            if hasattr(self, '_m_channels'):
                return self._m_channels

            self._m_channels = self.channels_less_1 + 1
            return getattr(self, '_m_channels', None)

        @property
        def coded_channels(self):
            if hasattr(self, '_m_coded_channels'):
                return self._m_coded_channels

            self._m_coded_channels = (self.channels if self.is_all_channels else 1)
            return getattr(self, '_m_coded_channels', None)

        @property
        def global_bits(self):
            if hasattr(self, '_m_global_bits'):
                return self._m_global_bits

            self._m_global_bits = (self.global_indices.bits if self.has_globals else 0)
            return getattr(self, '_m_global_bits', None)

        @property
        def index_bits(self):
            if hasattr(self, '_m_index_bits'):
                return self._m_index_bits

            self._m_index_bits = (self.explicit_layout.index_bits if self.has_layout else 10)
            return getattr(self, '_m_index_bits', None)

        @property
        def is_entropy_coded(self):
            """Must-understand flag 4."""
            if hasattr(self, '_m_is_entropy_coded'):
                return self._m_is_entropy_coded

            self._m_is_entropy_coded =  ((self.is_extended) and (self.more_must_understand_flags.value & 1 != 0)) 
            return getattr(self, '_m_is_entropy_coded', None)

        @property
        def is_live(self):
            """Must-understand flag 5."""
            if hasattr(self, '_m_is_live'):
                return self._m_is_live

            self._m_is_live =  ((self.is_extended) and (self.more_must_understand_flags.value & 2 != 0)) 
            return getattr(self, '_m_is_live', None)

        @property
        def len_packet(self):
            """Bytes of a packet."""
            if hasattr(self, '_m_len_packet'):
                return self._m_len_packet

            self._m_len_packet = (self.num_packet_indices * self.index_bits + 7) // 8
            return getattr(self, '_m_len_packet', None)

        @property
        def num_chunk_globals(self):
            """Global indices that every chunk begins with."""
            if hasattr(self, '_m_num_chunk_globals'):
                return self._m_num_chunk_globals

            self._m_num_chunk_globals = (self.global_indices.count * self.coded_channels if  ((self.has_globals) and ((not (self.global_indices.is_stream_scope))))  else 0)
            return getattr(self, '_m_num_chunk_globals', None)

        @property
        def num_chunk_packets(self):
            if hasattr(self, '_m_num_chunk_packets'):
                return self._m_num_chunk_packets

            self._m_num_chunk_packets = ((self.explicit_layout.chunk_frames.value if self.has_layout else 500) // self.packet_frames if self.is_live else 0)
            return getattr(self, '_m_num_chunk_packets', None)

        @property
        def num_frame_indices(self):
            if hasattr(self, '_m_num_frame_indices'):
                return self._m_num_frame_indices

            self._m_num_frame_indices = self.coded_channels * self.rows
            return getattr(self, '_m_num_frame_indices', None)

        @property
        def num_packet_indices(self):
            if hasattr(self, '_m_num_packet_indices'):
                return self._m_num_packet_indices

            self._m_num_packet_indices = (self.packet_frames * self.num_frame_indices if self.is_live else 0)
            return getattr(self, '_m_num_packet_indices', None)

        @property
        def rows(self):
            if hasattr(self, '_m_rows'):
                return self._m_rows

            self._m_rows = (self.explicit_layout.rows if self.has_layout else 1)
            return getattr(self, '_m_rows', None)


    class Index(KaitaiStruct):
        """One of the sixteen widths, as a bit field's width cannot be computed."""
        def __init__(self, bits, _io, _parent=None, _root=None):
            super(Mlc.Index, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self.bits = bits
            self._read()

        def _read(self):
            if self.bits == 1:
                pass
                self.bits_1 = self._io.read_bits_int_be(1) != 0

            if self.bits == 2:
                pass
                self.bits_2 = self._io.read_bits_int_be(2)

            if self.bits == 3:
                pass
                self.bits_3 = self._io.read_bits_int_be(3)

            if self.bits == 4:
                pass
                self.bits_4 = self._io.read_bits_int_be(4)

            if self.bits == 5:
                pass
                self.bits_5 = self._io.read_bits_int_be(5)

            if self.bits == 6:
                pass
                self.bits_6 = self._io.read_bits_int_be(6)

            if self.bits == 7:
                pass
                self.bits_7 = self._io.read_bits_int_be(7)

            if self.bits == 8:
                pass
                self.bits_8 = self._io.read_bits_int_be(8)

            if self.bits == 9:
                pass
                self.bits_9 = self._io.read_bits_int_be(9)

            if self.bits == 10:
                pass
                self.bits_10 = self._io.read_bits_int_be(10)

            if self.bits == 11:
                pass
                self.bits_11 = self._io.read_bits_int_be(11)

            if self.bits == 12:
                pass
                self.bits_12 = self._io.read_bits_int_be(12)

            if self.bits == 13:
                pass
                self.bits_13 = self._io.read_bits_int_be(13)

            if self.bits == 14:
                pass
                self.bits_14 = self._io.read_bits_int_be(14)

            if self.bits == 15:
                pass
                self.bits_15 = self._io.read_bits_int_be(15)

            if self.bits == 16:
                pass
                self.bits_16 = self._io.read_bits_int_be(16)



        def _fetch_instances(self):
            pass
            if self.bits == 1:
                pass

            if self.bits == 2:
                pass

            if self.bits == 3:
                pass

            if self.bits == 4:
                pass

            if self.bits == 5:
                pass

            if self.bits == 6:
                pass

            if self.bits == 7:
                pass

            if self.bits == 8:
                pass

            if self.bits == 9:
                pass

            if self.bits == 10:
                pass

            if self.bits == 11:
                pass

            if self.bits == 12:
                pass

            if self.bits == 13:
                pass

            if self.bits == 14:
                pass

            if self.bits == 15:
                pass

            if self.bits == 16:
                pass


        @property
        def value(self):
            if hasattr(self, '_m_value'):
                return self._m_value

            self._m_value = (int(self.bits_1) if self.bits == 1 else (self.bits_2 if self.bits == 2 else (self.bits_3 if self.bits == 3 else (self.bits_4 if self.bits == 4 else (self.bits_5 if self.bits == 5 else (self.bits_6 if self.bits == 6 else (self.bits_7 if self.bits == 7 else (self.bits_8 if self.bits == 8 else (self.bits_9 if self.bits == 9 else (self.bits_10 if self.bits == 10 else (self.bits_11 if self.bits == 11 else (self.bits_12 if self.bits == 12 else (self.bits_13 if self.bits == 13 else (self.bits_14 if self.bits == 14 else (self.bits_15 if self.bits == 15 else self.bits_16)))))))))))))))
            return getattr(self, '_m_value', None)


    class Layout(KaitaiStruct):
        def __init__(self, _io, _parent=None, _root=None):
            super(Mlc.Layout, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            self.index_bits = self._io.read_u1()
            self.rows = self._io.read_u1()
            self.kind = KaitaiStream.resolve_enum(Mlc.LayoutKind, self._io.read_u1())
            self.model_rate_hz = Mlc.Varint(self._io, self, self._root)
            self.frame_samples = Mlc.Varint(self._io, self, self._root)
            self.chunk_frames = Mlc.Varint(self._io, self, self._root)


        def _fetch_instances(self):
            pass
            self.model_rate_hz._fetch_instances()
            self.frame_samples._fetch_instances()
            self.chunk_frames._fetch_instances()


    class LiveChunk(KaitaiStruct):
        """Full, and with a check, unless it is the last."""
        def __init__(self, header, _io, _parent=None, _root=None):
            super(Mlc.LiveChunk, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self.header = header
            self._read()

        def _read(self):
            self._raw_packets = []
            self.packets = []
            for i in range(self.num_packets):
                self._raw_packets.append(self._io.read_bytes(self.header.len_packet))
                _io__raw_packets = KaitaiStream(BytesIO(self._raw_packets[i]))
                self.packets.append(Mlc.Packet(self.header, _io__raw_packets, self, self._root))

            if self.is_full:
                pass
                self.number = self._io.read_u1()

            if self.is_full:
                pass
                self.checksum = self._io.read_u2be()



        def _fetch_instances(self):
            pass
            for i in range(len(self.packets)):
                pass
                self.packets[i]._fetch_instances()

            if self.is_full:
                pass

            if self.is_full:
                pass


        @property
        def is_full(self):
            if hasattr(self, '_m_is_full'):
                return self._m_is_full

            self._m_is_full = self.num_packets == self.header.num_chunk_packets
            return getattr(self, '_m_is_full', None)

        @property
        def num_left(self):
            """Packets that are there; computed before the first is read."""
            if hasattr(self, '_m_num_left'):
                return self._m_num_left

            self._m_num_left = (self._io.size() - self._io.pos()) // self.header.len_packet
            return getattr(self, '_m_num_left', None)

        @property
        def num_packets(self):
            if hasattr(self, '_m_num_packets'):
                return self._m_num_packets

            self._m_num_packets = (1 if self.num_left < 1 else (self.num_left if self.num_left < self.header.num_chunk_packets else self.header.num_chunk_packets))
            return getattr(self, '_m_num_packets', None)


    class Packet(KaitaiStruct):
        """Zeros fill its last byte."""
        def __init__(self, header, _io, _parent=None, _root=None):
            super(Mlc.Packet, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self.header = header
            self._read()

        def _read(self):
            self.indices = []
            for i in range(self.header.num_packet_indices):
                self.indices.append(Mlc.Index(self.header.index_bits, self._io, self, self._root))



        def _fetch_instances(self):
            pass
            for i in range(len(self.indices)):
                pass
                self.indices[i]._fetch_instances()



    class Padding(KaitaiStruct):
        """Finds the stop bit, which is the last 1 of the body and lies in its last byte."""
        def __init__(self, _io, _parent=None, _root=None):
            super(Mlc.Padding, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            pass


        def _fetch_instances(self):
            pass
            _ = self.last
            if hasattr(self, '_m_last'):
                pass


        @property
        def last(self):
            if hasattr(self, '_m_last'):
                return self._m_last

            _pos = self._io.pos()
            self._io.seek(self._io.size() - 1)
            self._m_last = self._io.read_u1()
            self._io.seek(_pos)
            return getattr(self, '_m_last', None)

        @property
        def num_after_stop(self):
            if hasattr(self, '_m_num_after_stop'):
                return self._m_num_after_stop

            self._m_num_after_stop = (0 if self.last & 1 != 0 else (1 if self.last & 2 != 0 else (2 if self.last & 4 != 0 else (3 if self.last & 8 != 0 else (4 if self.last & 16 != 0 else (5 if self.last & 32 != 0 else (6 if self.last & 64 != 0 else 7)))))))
            return getattr(self, '_m_num_after_stop', None)

        @property
        def num_bits(self):
            """Before the stop bit."""
            if hasattr(self, '_m_num_bits'):
                return self._m_num_bits

            self._m_num_bits = (self._io.size() * 8 - 1) - self.num_after_stop
            return getattr(self, '_m_num_bits', None)


    class Stream(KaitaiStruct):
        def __init__(self, _io, _parent=None, _root=None):
            super(Mlc.Stream, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            self.header = Mlc.Header(self._io, self, self._root)
            if (not (self.header.is_live)):
                pass
                self.blocks = []
                i = 0
                while True:
                    _ = Mlc.Block(self.header, self._io, self, self._root)
                    self.blocks.append(_)
                    if _.type == Mlc.BlockType.end:
                        break
                    i += 1

            if self.header.is_live:
                pass
                self.live_chunks = []
                i = 0
                while not self._io.is_eof():
                    self.live_chunks.append(Mlc.LiveChunk(self.header, self._io, self, self._root))
                    i += 1




        def _fetch_instances(self):
            pass
            self.header._fetch_instances()
            if (not (self.header.is_live)):
                pass
                for i in range(len(self.blocks)):
                    pass
                    self.blocks[i]._fetch_instances()


            if self.header.is_live:
                pass
                for i in range(len(self.live_chunks)):
                    pass
                    self.live_chunks[i]._fetch_instances()




    class Tag(KaitaiStruct):
        def __init__(self, _io, _parent=None, _root=None):
            super(Mlc.Tag, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            self.len_text = Mlc.Varint(self._io, self, self._root)
            self.text = (self._io.read_bytes(self.len_text.value)).decode(u"UTF-8")


        def _fetch_instances(self):
            pass
            self.len_text._fetch_instances()


    class Tags(KaitaiStruct):
        def __init__(self, _io, _parent=None, _root=None):
            super(Mlc.Tags, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            self.tags = []
            i = 0
            while not self._io.is_eof():
                self.tags.append(Mlc.Tag(self._io, self, self._root))
                i += 1



        def _fetch_instances(self):
            pass
            for i in range(len(self.tags)):
                pass
                self.tags[i]._fetch_instances()



    class Varint(KaitaiStruct):
        """Unsigned LEB128 of at most seven bytes."""
        def __init__(self, _io, _parent=None, _root=None):
            super(Mlc.Varint, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            self.groups = []
            i = 0
            while True:
                _ = Mlc.VarintGroup(self._io, self, self._root)
                self.groups.append(_)
                if (not (_.has_next)):
                    break
                i += 1


        def _fetch_instances(self):
            pass
            for i in range(len(self.groups)):
                pass
                self.groups[i]._fetch_instances()


        @property
        def value(self):
            if hasattr(self, '_m_value'):
                return self._m_value

            self._m_value = (((((self.groups[0].value + (self.groups[1].value * 128 if len(self.groups) > 1 else 0)) + (self.groups[2].value * 16384 if len(self.groups) > 2 else 0)) + (self.groups[3].value * 2097152 if len(self.groups) > 3 else 0)) + (self.groups[4].value * 268435456 if len(self.groups) > 4 else 0)) + (self.groups[5].value * 34359738368 if len(self.groups) > 5 else 0)) + (self.groups[6].value * 4398046511104 if len(self.groups) > 6 else 0)
            return getattr(self, '_m_value', None)


    class VarintGroup(KaitaiStruct):
        def __init__(self, _io, _parent=None, _root=None):
            super(Mlc.VarintGroup, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            self.has_next = self._io.read_bits_int_be(1) != 0
            self.value = self._io.read_bits_int_be(7)


        def _fetch_instances(self):
            pass
